//! Security-group rules, network-ACL entries, tables' further properties and type offerings: what
//! only the examination reads.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;
use rehome_core::doctor::{Acl, AclEntry, GroupRules, Peer, Rule, TableDetails};
use rehome_core::fault::CallError;
use rehome_core::names::{Az, GroupId, InstanceType, SubnetId, VpcId};

use super::calls::{TABLES_PAGE, filter};
use super::client::{Aws, all_pages};

impl Aws {
    /// Those of `groups` that exist, with their rules.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn group_rules(
        &self,
        groups: &[GroupId],
    ) -> Result<Vec<GroupRules>, CallError> {
        let found = self.security_groups(groups).await?;
        Ok(found.iter().filter_map(group).collect())
    }

    /// The network ACLs before these subnets.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn acls(
        &self,
        vpc: &VpcId,
        subnets: &[SubnetId],
    ) -> Result<Vec<Acl>, CallError> {
        let found = self.network_acls(vpc, subnets).await?;
        Ok(found.iter().filter_map(acl).collect())
    }

    /// What the route tables of a VPC have beside routes to blocks.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn table_details(&self, vpc: &VpcId) -> Result<Vec<TableDetails>, CallError> {
        let request = self
            .ec2
            .describe_route_tables()
            .filters(filter("vpc-id", [vpc]))
            .max_results(TABLES_PAGE);
        all_pages(
            "DescribeRouteTables",
            move |token| request.clone().set_next_token(token).send(),
            |page| (page.route_tables().iter().filter_map(details).collect(), page.next_token),
        )
        .await
    }

    /// The zones that offer a type.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn offering_zones(&self, kind: &InstanceType) -> Result<Vec<Az>, CallError> {
        let request = self
            .ec2
            .describe_instance_type_offerings()
            .location_type(ec2::LocationType::AvailabilityZone)
            .filters(filter("instance-type", [kind]));
        all_pages(
            "DescribeInstanceTypeOfferings",
            move |token| request.clone().set_next_token(token).send(),
            |page| {
                let zones = page.instance_type_offerings().iter();
                (zones.filter_map(|of| of.location()?.parse().ok()).collect(), page.next_token)
            },
        )
        .await
    }
}

fn group(from: &ec2::SecurityGroup) -> Option<GroupRules> {
    Some(GroupRules {
        id: from.group_id()?.parse().ok()?,
        vpc: from.vpc_id().and_then(|vpc| vpc.parse().ok()),
        ingress: from.ip_permissions().iter().map(rule).collect(),
        egress: from.ip_permissions_egress().iter().map(rule).collect(),
    })
}

fn rule(from: &ec2::IpPermission) -> Rule {
    let or_other = |text: &str, peer: Option<Peer>| peer.unwrap_or(Peer::Other(text.to_owned()));
    let blocks = from.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let blocks = blocks.map(|text| or_other(text, text.parse().ok().map(Peer::Block)));
    let groups = from.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    let groups = groups.map(|text| or_other(text, text.parse().ok().map(Peer::Group)));
    let lists = from.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id());
    let lists = lists.map(|text| Peer::PrefixList(text.to_owned()));
    let others = from.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6());
    let others = others.map(|text| Peer::Other(text.to_owned()));
    Rule {
        protocol: from.ip_protocol().unwrap_or("?").to_owned(),
        from_port: from.from_port(),
        to_port: from.to_port(),
        peers: blocks.chain(groups).chain(lists).chain(others).collect(),
    }
}

fn acl(from: &ec2::NetworkAcl) -> Option<Acl> {
    let subnets = from.associations().iter().filter_map(|of| of.subnet_id()?.parse().ok());
    Some(Acl {
        id: from.network_acl_id()?.to_owned(),
        subnets: subnets.collect(),
        entries: from.entries().iter().filter_map(entry).collect(),
    })
}

fn entry(from: &ec2::NetworkAclEntry) -> Option<AclEntry> {
    let icmp = from.icmp_type_code();
    Some(AclEntry {
        number: from.rule_number()?,
        egress: from.egress() == Some(true),
        allow: from.rule_action() == Some(&ec2::RuleAction::Allow),
        protocol: from.protocol().unwrap_or("?").to_owned(),
        block: from.cidr_block().and_then(|block| block.parse().ok()),
        icmp: icmp.map(|icmp| (icmp.r#type().unwrap_or(-1), icmp.code().unwrap_or(-1))),
    })
}

fn details(from: &ec2::RouteTable) -> Option<TableDetails> {
    let tags = from.tags().iter();
    let tags = tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    let gateways = from.propagating_vgws().iter().filter_map(|of| of.gateway_id());
    let lists = from.routes().iter().filter_map(|route| route.destination_prefix_list_id());
    Some(TableDetails {
        id: from.route_table_id()?.parse().ok()?,
        tags: tags.collect::<BTreeMap<_, _>>(),
        propagating: gateways.map(str::to_owned).collect(),
        prefix_lists: lists.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::stub::{Stub, says};
    use super::*;

    fn on_tokio<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn rules_keep_their_peers_apart() {
        let content = "<securityGroupInfo><item><groupId>sg-1a2b3c4d</groupId>\
            <vpcId>vpc-1a2b3c4d</vpcId><ipPermissions><item><ipProtocol>icmp</ipProtocol>\
            <fromPort>8</fromPort><toPort>-1</toPort>\
            <groups><item><groupId>sg-5a6b7c8d</groupId></item></groups>\
            <ipRanges><item><cidrIp>10.0.0.100/32</cidrIp></item></ipRanges>\
            <ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges>\
            <prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds>\
            </item></ipPermissions><ipPermissionsEgress/></item></securityGroupInfo>";
        let groups = on_tokio(async {
            let stub = Stub::new(move |_| says("DescribeSecurityGroups", content)).await;
            stub.aws.group_rules(&["sg-1a2b3c4d".parse().unwrap()]).await.unwrap()
        });
        let [group] = groups.as_slice() else { panic!("{groups:?}") };
        assert_eq!(group.vpc, Some("vpc-1a2b3c4d".parse().unwrap()));
        assert!(group.egress.is_empty());
        let [rule] = group.ingress.as_slice() else { panic!("{group:?}") };
        assert_eq!((rule.from_port, rule.to_port), (Some(8), Some(-1)));
        assert_eq!(
            rule.peers,
            [
                Peer::Block("10.0.0.100/32".parse().unwrap()),
                Peer::Group("sg-5a6b7c8d".parse().unwrap()),
                Peer::PrefixList("pl-1".to_owned()),
                Peer::Other("::/0".to_owned()),
            ]
        );
    }

    #[test]
    fn acl_entries_keep_direction_action_block_and_icmp_type() {
        let content = "<networkAclSet><item><networkAclId>acl-1</networkAclId>\
            <associationSet><item><subnetId>subnet-1a2b3c4d</subnetId></item></associationSet>\
            <entrySet><item><ruleNumber>100</ruleNumber><protocol>1</protocol>\
            <ruleAction>deny</ruleAction><egress>false</egress><cidrBlock>10.0.0.0/8</cidrBlock>\
            <icmpTypeCode><code>-1</code><type>8</type></icmpTypeCode></item>\
            <item><ruleNumber>32767</ruleNumber><protocol>-1</protocol>\
            <ruleAction>deny</ruleAction><egress>true</egress><ipv6CidrBlock>::/0</ipv6CidrBlock>\
            </item></entrySet></item></networkAclSet>";
        let subnet: SubnetId = "subnet-1a2b3c4d".parse().unwrap();
        let acls = on_tokio(async {
            let stub = Stub::new(move |_| says("DescribeNetworkAcls", content)).await;
            let vpc = "vpc-1a2b3c4d".parse().unwrap();
            stub.aws.acls(&vpc, std::slice::from_ref(&subnet)).await.unwrap()
        });
        let [acl] = acls.as_slice() else { panic!("{acls:?}") };
        assert_eq!((acl.id.as_str(), &acl.subnets), ("acl-1", &vec![subnet]));
        let [first, last] = acl.entries.as_slice() else { panic!("{acl:?}") };
        assert!(!first.egress && !first.allow && last.egress);
        assert_eq!(first.icmp, Some((8, -1)));
        assert_eq!((first.block.is_some(), last.block, last.icmp), (true, None, None));
    }

    #[test]
    fn a_types_zones_are_asked_for_by_zone_and_details_of_tables_are_read() {
        on_tokio(async {
            let stub = Stub::new(|request| {
                if request.contains("DescribeInstanceTypeOfferings") {
                    says(
                        "DescribeInstanceTypeOfferings",
                        "<instanceTypeOfferingSet><item><instanceType>t3.micro</instanceType>\
                         <location>us-east-1b</location></item></instanceTypeOfferingSet>",
                    )
                } else {
                    says(
                        "DescribeRouteTables",
                        "<routeTableSet><item><routeTableId>rtb-1a2b3c4d</routeTableId>\
                         <routeSet><item><destinationPrefixListId>pl-1</destinationPrefixListId>\
                         </item></routeSet><propagatingVgwSet><item><gatewayId>vgw-1</gatewayId>\
                         </item></propagatingVgwSet><tagSet><item><key>k</key><value>v</value>\
                         </item></tagSet></item></routeTableSet>",
                    )
                }
            })
            .await;
            let zones = stub.aws.offering_zones(&"t3.micro".parse().unwrap()).await.unwrap();
            assert_eq!(zones, ["us-east-1b".parse().unwrap()]);
            let asked = stub.requests().pop().unwrap();
            assert!(asked.contains("LocationType=availability-zone"), "{asked}");
            let tables = stub.aws.table_details(&"vpc-1a2b3c4d".parse().unwrap()).await.unwrap();
            let [table] = tables.as_slice() else { panic!("{tables:?}") };
            assert_eq!(
                (&table.propagating[..], &table.prefix_lists[..]),
                (&["vgw-1".to_owned()][..], &["pl-1".to_owned()][..])
            );
            assert_eq!(table.tags["k"], "v");
        });
    }
}
