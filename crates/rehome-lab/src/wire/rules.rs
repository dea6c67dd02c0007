//! The calls that change security groups and network ACLs. Pure; see [`query`](super::query).

use ec2_model::ApiError;
use ec2_model::api::{
    ChangeRules, CreateNetworkAcl, CreateSecurityGroup, DeleteNetworkAcl, DeleteNetworkAclEntry,
    DeleteSecurityGroup, IpPermission, IpRange, PutNetworkAclEntry, ReplaceNetworkAclAssociation,
    Request, UserIdGroupPair,
};

use super::launch::tag_specifications;
use super::parameters::Parameters;
use super::query::flag;

/// Reads the action, where it is one of these.
pub(super) fn read(action: &str, form: &mut Parameters) -> Result<Option<Request>, ApiError> {
    Ok(Some(match action {
        "CreateSecurityGroup" => create_security_group(form)?,
        "DeleteSecurityGroup" => Request::DeleteSecurityGroup(DeleteSecurityGroup {
            dry_run: flag(form, "DryRun")?,
            group_id: form.take("GroupId"),
            group_name: form.take("GroupName"),
        }),
        "AuthorizeSecurityGroupIngress" => {
            Request::AuthorizeSecurityGroupIngress(change_rules(form)?)
        }
        "AuthorizeSecurityGroupEgress" => {
            Request::AuthorizeSecurityGroupEgress(change_rules(form)?)
        }
        "RevokeSecurityGroupIngress" => Request::RevokeSecurityGroupIngress(change_rules(form)?),
        "RevokeSecurityGroupEgress" => Request::RevokeSecurityGroupEgress(change_rules(form)?),
        "CreateNetworkAcl" => create_network_acl(form)?,
        "DeleteNetworkAcl" => Request::DeleteNetworkAcl(DeleteNetworkAcl {
            dry_run: flag(form, "DryRun")?,
            network_acl_id: form.text("NetworkAclId")?,
        }),
        "CreateNetworkAclEntry" => Request::CreateNetworkAclEntry(acl_entry(form)?),
        "ReplaceNetworkAclEntry" => Request::ReplaceNetworkAclEntry(acl_entry(form)?),
        "DeleteNetworkAclEntry" => Request::DeleteNetworkAclEntry(DeleteNetworkAclEntry {
            dry_run: flag(form, "DryRun")?,
            network_acl_id: form.text("NetworkAclId")?,
            rule_number: form.integer("RuleNumber")?,
            egress: form.boolean("Egress")?,
        }),
        "ReplaceNetworkAclAssociation" => {
            Request::ReplaceNetworkAclAssociation(ReplaceNetworkAclAssociation {
                dry_run: flag(form, "DryRun")?,
                association_id: form.text("AssociationId")?,
                network_acl_id: form.text("NetworkAclId")?,
            })
        }
        _another => return Ok(None),
    }))
}

fn create_security_group(form: &mut Parameters) -> Result<Request, ApiError> {
    Ok(Request::CreateSecurityGroup(CreateSecurityGroup {
        dry_run: flag(form, "DryRun")?,
        group_name: form.text("GroupName")?,
        description: form.text("GroupDescription")?,
        vpc_id: form.take("VpcId"),
        tag_specifications: tag_specifications(form),
    }))
}

fn create_network_acl(form: &mut Parameters) -> Result<Request, ApiError> {
    // Whoever repeats this call gets a second ACL here.
    form.ignore("ClientToken");
    Ok(Request::CreateNetworkAcl(CreateNetworkAcl {
        dry_run: flag(form, "DryRun")?,
        vpc_id: form.text("VpcId")?,
        tag_specifications: tag_specifications(form),
    }))
}

fn change_rules(form: &mut Parameters) -> Result<ChangeRules, ApiError> {
    let mut permissions = Vec::new();
    for number in form.members("IpPermissions") {
        permissions.push(permission(form, &format!("IpPermissions.{number}."))?);
    }
    permissions.extend(plain_permission(form)?);
    Ok(ChangeRules {
        dry_run: flag(form, "DryRun")?,
        group_id: form.take("GroupId"),
        group_name: form.take("GroupName"),
        permissions,
        rule_ids: form.list("SecurityGroupRuleId"),
        tag_specifications: tag_specifications(form),
    })
}

fn permission(form: &mut Parameters, prefix: &str) -> Result<IpPermission, ApiError> {
    let name = |rest: &str| format!("{prefix}{rest}");
    let lists = name("PrefixListIds");
    let prefix_list_ids = form
        .members(&lists)
        .into_iter()
        .filter_map(|number| {
            form.ignore(&format!("{lists}.{number}.Description"));
            form.take(&format!("{lists}.{number}.PrefixListId"))
        })
        .collect();
    Ok(IpPermission {
        ip_protocol: form.take(&name("IpProtocol")).unwrap_or_default(),
        from_port: form.integer(&name("FromPort"))?,
        to_port: form.integer(&name("ToPort"))?,
        ip_ranges: ranges(form, &name("IpRanges"), "CidrIp"),
        ipv6_ranges: ranges(form, &name("Ipv6Ranges"), "CidrIpv6"),
        prefix_list_ids,
        groups: pairs(form, &name("Groups")),
    })
}

fn ranges(form: &mut Parameters, list: &str, member: &str) -> Vec<IpRange> {
    form.members(list)
        .into_iter()
        .map(|number| IpRange {
            cidr: form.take(&format!("{list}.{number}.{member}")).unwrap_or_default(),
            description: form.take(&format!("{list}.{number}.Description")),
        })
        .collect()
}

fn pairs(form: &mut Parameters, list: &str) -> Vec<UserIdGroupPair> {
    form.members(list)
        .into_iter()
        .map(|number| {
            let mut of = |member: &str| form.take(&format!("{list}.{number}.{member}"));
            // Told by EC2 itself, and sent back by who copies its answer; it says nothing new.
            let _vpc = of("VpcId");
            UserIdGroupPair {
                user_id: of("UserId").unwrap_or_default(),
                group_id: of("GroupId").unwrap_or_default(),
                group_name: of("GroupName"),
                description: of("Description"),
            }
        })
        .collect()
}

/// The older way to say a permission with one block: parameters of the call itself.
fn plain_permission(form: &mut Parameters) -> Result<Option<IpPermission>, ApiError> {
    let (protocol, block) = (form.take("IpProtocol"), form.take("CidrIp"));
    let (from_port, to_port) = (form.integer("FromPort")?, form.integer("ToPort")?);
    if protocol.is_none() && block.is_none() {
        return Ok(None);
    }
    Ok(Some(IpPermission {
        ip_protocol: protocol.unwrap_or_default(),
        from_port,
        to_port,
        ip_ranges: block.map(|cidr| IpRange { cidr, description: None }).into_iter().collect(),
        ..IpPermission::default()
    }))
}

fn acl_entry(form: &mut Parameters) -> Result<PutNetworkAclEntry, ApiError> {
    let icmp = (form.integer("Icmp.Type")?, form.integer("Icmp.Code")?);
    let ports = (form.integer("PortRange.From")?, form.integer("PortRange.To")?);
    Ok(PutNetworkAclEntry {
        dry_run: flag(form, "DryRun")?,
        network_acl_id: form.text("NetworkAclId")?,
        rule_number: form.integer("RuleNumber")?,
        egress: form.boolean("Egress")?,
        protocol: form.text("Protocol")?,
        rule_action: form.text("RuleAction")?,
        cidr_block: form.take("CidrBlock"),
        ipv6_cidr_block: form.take("Ipv6CidrBlock"),
        icmp_type_code: icmp.0.zip(icmp.1),
        port_range: ports.0.zip(ports.1),
    })
}

#[cfg(test)]
mod tests {
    use super::super::credential::Service;
    use super::super::query::request;
    use super::*;

    fn call(action: &str, form: &str) -> Result<Request, ApiError> {
        let text = format!("Action={action}&Version=2016-11-15&{form}");
        request(Service::Ec2, Parameters::parse(text.as_bytes())?)
    }

    #[test]
    fn a_permission_is_read_with_its_blocks_and_groups() {
        let read = call(
            "AuthorizeSecurityGroupIngress",
            "GroupId=sg-1&IpPermissions.1.IpProtocol=icmp&IpPermissions.1.FromPort=8\
             &IpPermissions.1.ToPort=-1&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.100/32\
             &IpPermissions.1.IpRanges.1.Description=the+monitor\
             &IpPermissions.1.Groups.1.GroupId=sg-2&IpPermissions.1.Groups.1.UserId=123456789012\
             &IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0",
        );
        let Ok(Request::AuthorizeSecurityGroupIngress(rules)) = read else { panic!("{read:?}") };
        assert_eq!(rules.group_id.as_deref(), Some("sg-1"));
        let range = |cidr: &str, description: Option<&str>| IpRange {
            cidr: cidr.to_owned(),
            description: description.map(str::to_owned),
        };
        let expected = IpPermission {
            ip_protocol: "icmp".to_owned(),
            from_port: Some(8),
            to_port: Some(-1),
            ip_ranges: vec![range("10.0.0.100/32", Some("the monitor"))],
            ipv6_ranges: vec![range("::/0", None)],
            prefix_list_ids: Vec::new(),
            groups: vec![UserIdGroupPair {
                user_id: "123456789012".to_owned(),
                group_id: "sg-2".to_owned(),
                group_name: None,
                description: None,
            }],
        };
        assert_eq!(rules.permissions, [expected]);
    }

    #[test]
    fn the_older_way_to_say_a_permission_means_the_same() {
        let older = "GroupId=sg-1&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=10.0.0.0/8";
        let newer = "GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22\
                     &IpPermissions.1.ToPort=22&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8";
        let read = |form| call("RevokeSecurityGroupIngress", form).expect("it is well formed");
        assert_eq!(read(older), read(newer));
    }

    #[test]
    fn what_names_a_peering_is_unsupported_and_what_nobody_knows_is_unknown() {
        let code = |form: &str| call("AuthorizeSecurityGroupEgress", form).unwrap_err().code;
        let peering = "GroupId=sg-1&IpPermissions.1.Groups.1.VpcPeeringConnectionId=pcx-1";
        assert_eq!(code(peering), "UnsupportedOperation");
        assert_eq!(code("GroupId=sg-1&SourceSecurityGroupName=x"), "UnsupportedOperation");
        assert_eq!(code("GroupId=sg-1&Bogus=x"), "UnknownParameter");
    }

    #[test]
    fn an_entry_of_an_acl_is_read_with_type_and_code_or_ports() {
        let form = "NetworkAclId=acl-1&RuleNumber=90&Egress=false&Protocol=1&RuleAction=deny\
                    &CidrBlock=10.0.0.0/24&Icmp.Type=-1&Icmp.Code=-1";
        let Ok(Request::CreateNetworkAclEntry(entry)) = call("CreateNetworkAclEntry", form) else {
            panic!("another call");
        };
        assert_eq!((entry.rule_number, entry.egress), (Some(90), Some(false)));
        assert_eq!((entry.icmp_type_code, entry.port_range), (Some((-1, -1)), None));
        let code = |form: &str| call("CreateNetworkAclEntry", form).unwrap_err().code;
        assert_eq!(code("NetworkAclId=acl-1&Protocol=6"), "MissingParameter");
        assert_eq!(code("NetworkAclId=acl-1&RuleNumber=x"), "InvalidParameterValue");
    }
}
