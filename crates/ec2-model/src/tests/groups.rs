//! Security groups: their rules, what refuses a change, and what an interface then admits.

use super::*;
use crate::{
    Admission, Traffic,
    api::{
        ChangeRules, CreateSecurityGroup, DeleteSecurityGroup, DescribeSecurityGroups,
        IpPermission, IpRange, ModifyNetworkInterfaceAttribute, SecurityGroup, UserIdGroupPair,
    },
};

const OVERLAY: &str = "10.0.0.100/32";

fn permission(protocol: &str, ports: Option<(i64, i64)>) -> IpPermission {
    IpPermission {
        ip_protocol: protocol.into(),
        from_port: ports.map(|(from, _)| from),
        to_port: ports.map(|(_, to)| to),
        ..IpPermission::default()
    }
}

fn from_block(protocol: &str, ports: Option<(i64, i64)>, block: &str) -> IpPermission {
    let range = IpRange { cidr: block.into(), description: None };
    IpPermission { ip_ranges: vec![range], ..permission(protocol, ports) }
}

fn from_group(group: &str) -> IpPermission {
    let pair = UserIdGroupPair { group_id: group.into(), ..UserIdGroupPair::default() };
    IpPermission { groups: vec![pair], ..permission("-1", None) }
}

impl Lab {
    fn create(&mut self, name: &str) -> Result<String, ApiError> {
        let answer = self.call(&Request::CreateSecurityGroup(CreateSecurityGroup {
            group_name: name.into(),
            description: "of a test".into(),
            vpc_id: Some(self.vpc.clone()),
            ..CreateSecurityGroup::default()
        }))?;
        let Response::CreateSecurityGroup(made) = answer else { panic!("another answer") };
        Ok(made.group_id)
    }

    fn change(
        &mut self,
        make: fn(ChangeRules) -> Request,
        group: &str,
        permissions: &[IpPermission],
    ) -> Result<Response, ApiError> {
        self.call(&make(ChangeRules {
            group_id: Some(group.into()),
            permissions: permissions.to_vec(),
            ..ChangeRules::default()
        }))
    }

    fn admit(&mut self, group: &str, permission: IpPermission) -> Result<Response, ApiError> {
        self.change(Request::AuthorizeSecurityGroupIngress, group, &[permission])
    }

    fn revoke(&mut self, group: &str, permission: IpPermission) -> Result<Response, ApiError> {
        self.change(Request::RevokeSecurityGroupIngress, group, &[permission])
    }

    fn group(&mut self, id: &str) -> SecurityGroup {
        let select = Select { ids: vec![id.into()], ..Select::default() };
        let ask = DescribeSecurityGroups { select, ..DescribeSecurityGroups::default() };
        let Ok(Response::DescribeSecurityGroups(page)) =
            self.call(&Request::DescribeSecurityGroups(ask))
        else {
            panic!("another answer");
        };
        page.items.into_iter().next().unwrap()
    }

    fn delete_group(&mut self, id: &str) -> Result<Response, ApiError> {
        let group_id = Some(id.into());
        self.call(&Request::DeleteSecurityGroup(DeleteSecurityGroup {
            group_id,
            ..DeleteSecurityGroup::default()
        }))
    }

    fn wear(&mut self, groups: &[&str]) {
        let plane = self.ec2.plane(self.now);
        let holder = plane.instances.iter().find(|i| i.id == self.holder).unwrap();
        self.call(&Request::ModifyNetworkInterfaceAttribute(ModifyNetworkInterfaceAttribute {
            network_interface_id: holder.eni.clone(),
            groups: groups.iter().map(|&id| id.to_owned()).collect(),
            ..ModifyNetworkInterfaceAttribute::default()
        }))
        .unwrap();
    }

    fn admissions(&self) -> (Vec<Admission>, Vec<Admission>) {
        let plane = self.ec2.plane(self.now);
        let holder = plane.instances.iter().find(|i| i.id == self.holder).unwrap();
        (holder.admits.ingress.clone(), holder.admits.egress.clone())
    }
}

fn code<T: core::fmt::Debug>(answer: Result<T, ApiError>) -> String {
    answer.unwrap_err().code
}

#[test]
fn a_new_group_lets_everything_out_and_nothing_in() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.create("web").unwrap();
    let group = lab.group(&id);
    assert_eq!(group.ingress, []);
    assert_eq!(group.egress, [from_block("-1", None, "0.0.0.0/0")]);
    lab.wear(&[&id]);
    let all = "0.0.0.0/0".parse().unwrap();
    let out = Admission { traffic: Traffic::Any, peers: vec![all] };
    assert_eq!(lab.admissions(), (vec![], vec![out]));
}

#[test]
fn a_default_group_admits_its_own_members_by_their_interfaces_addresses() {
    let mut lab = Lab::new(Pace::instant());
    let other = lab.run('c');
    let ip = lab.ec2.instance(&other).unwrap().private_ip_address.unwrap();
    let (ingress, _) = lab.admissions();
    let mut members: Vec<String> = ingress[0].peers.iter().map(ToString::to_string).collect();
    members.sort();
    let mut expected = ["172.31.48.10/32".to_owned(), format!("{ip}/32")];
    expected.sort();
    assert_eq!(members, expected);
    let overlay: crate::Cidr = OVERLAY.parse().unwrap();
    assert!(ingress.iter().all(|rule| !rule.peers.iter().any(|peer| peer.covers(overlay))));
    lab.terminate(&[&other]).unwrap();
    lab.wait(600_000);
    assert_eq!(lab.admissions().0[0].peers.len(), 1, "who is gone is no member");
}

#[test]
fn rules_of_equal_protocol_and_ports_are_told_as_one_permission() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.create("web").unwrap();
    lab.admit(&id, from_block("icmp", Some((8, -1)), OVERLAY)).unwrap();
    lab.admit(&id, from_block("tcp", Some((80, 80)), "10.0.0.0/8")).unwrap();
    lab.admit(&id, from_block("ICMP", Some((8, -1)), "172.31.16.10/20")).unwrap();
    let told = lab.group(&id).ingress;
    assert_eq!(told.len(), 2);
    let blocks: Vec<&str> = told[0].ip_ranges.iter().map(|range| range.cidr.as_str()).collect();
    assert_eq!(blocks, [OVERLAY, "172.31.16.0/20"], "and a block is told in canonical form");
    lab.wear(&[&id]);
    let kinds: Vec<Traffic> = lab.admissions().0.iter().map(|rule| rule.traffic).collect();
    let echo = Traffic::Icmp(Some(8), None);
    assert_eq!(kinds, [echo, Traffic::Tcp(80, 80), echo]);
}

#[test]
fn a_rule_that_is_there_already_is_refused_in_ec2s_words() {
    for (permission, words) in [
        (from_block("-1", None, OVERLAY), "peer: 10.0.0.100/32, ALL, ALLOW"),
        (
            from_block("icmp", Some((-1, -1)), OVERLAY),
            "peer: 10.0.0.100/32, ICMP, type: ALL, code: ALL, ALLOW",
        ),
        (
            from_block("6", Some((22, 23)), OVERLAY),
            "peer: 10.0.0.100/32, TCP, from port: 22, to port: 23, ALLOW",
        ),
        (from_block("50", None, OVERLAY), "peer: 10.0.0.100/32, protocol: 50, ALLOW"),
    ] {
        let mut lab = Lab::new(Pace::instant());
        let id = lab.create("web").unwrap();
        lab.admit(&id, permission.clone()).unwrap();
        let refused = lab.admit(&id, permission).unwrap_err();
        assert_eq!(refused.code, "InvalidPermission.Duplicate");
        assert_eq!(refused.message, format!("the specified rule \"{words}\" already exists"));
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.create("web").unwrap();
    let unknown = "sg-0123456789abcdef0";
    for (permission, expected) in [
        (from_block("tcp", None, OVERLAY), "InvalidParameterValue"),
        (from_block("tcp", Some((-1, 80)), OVERLAY), "InvalidPermission.Malformed"),
        (from_block("tcp", Some((80, 22)), OVERLAY), "InvalidParameterValue"),
        (from_block("icmp", Some((0, 65_535)), OVERLAY), "InvalidParameterValue"),
        (from_block("icmp", Some((-1, 0)), OVERLAY), "InvalidParameterValue"),
        (from_block("smtp", Some((25, 25)), OVERLAY), "InvalidParameterValue"),
        (from_block("-1", None, "10.0.0.100"), "InvalidParameterValue"),
        (from_block("", None, OVERLAY), "MissingParameter"),
        (permission("-1", None), "MissingParameter"),
        (from_group(unknown), "InvalidGroup.NotFound"),
        (from_group("nonsense"), "InvalidGroupId.Malformed"),
    ] {
        assert_eq!(code(lab.admit(&id, permission.clone())), expected, "{permission:?}");
    }
    assert_eq!(lab.group(&id).ingress, []);
    let twice = [from_group(&id), from_group(&id)];
    let refused = lab.change(Request::AuthorizeSecurityGroupIngress, &id, &twice).unwrap_err();
    assert_eq!(refused.message, "The same permission must not appear multiple times");
    assert_eq!(code(lab.admit(unknown, from_group(&id))), "InvalidGroup.NotFound");
}

#[test]
fn what_no_rule_is_like_cannot_be_revoked_from_a_group_of_the_default_vpc() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.create("web").unwrap();
    let rule = from_block("icmp", Some((-1, -1)), OVERLAY);
    assert_eq!(code(lab.revoke(&id, rule.clone())), "InvalidPermission.NotFound");
    lab.admit(&id, rule.clone()).unwrap();
    lab.revoke(&id, rule).unwrap();
    assert_eq!(lab.group(&id).ingress, []);
    let everything = from_block("-1", None, "0.0.0.0/0");
    lab.change(Request::RevokeSecurityGroupEgress, &id, &[everything]).unwrap();
    lab.wear(&[&id]);
    assert_eq!(lab.admissions(), (vec![], vec![]));
}

#[test]
fn a_rule_goes_by_its_id_and_keeps_no_other() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.create("web").unwrap();
    let answer = lab.admit(&id, from_group(&id)).unwrap();
    let Response::AuthorizeSecurityGroup(made) = answer else { panic!("another answer") };
    lab.admit(&id, from_block("-1", None, OVERLAY)).unwrap();
    let by_id = |rule: &str| {
        Request::RevokeSecurityGroupIngress(ChangeRules {
            group_id: Some(id.clone()),
            rule_ids: vec![rule.into()],
            ..ChangeRules::default()
        })
    };
    let refused = lab.call(&by_id("sgr-0123456789abcdef0")).unwrap_err();
    assert_eq!(refused.code, "InvalidSecurityGroupRuleId.NotFound");
    lab.call(&by_id(&made[0].security_group_rule_id)).unwrap();
    assert_eq!(lab.group(&id).ingress, [from_block("-1", None, OVERLAY)]);
}

#[test]
fn a_group_that_is_worn_or_named_stays() {
    let mut lab = Lab::new(Pace::instant());
    let (worn, named) = (lab.create("worn").unwrap(), lab.create("named").unwrap());
    lab.wear(&[&worn]);
    lab.admit(&worn, from_group(&named)).unwrap();
    for id in [&worn, &named] {
        let refused = lab.delete_group(id).unwrap_err();
        assert_eq!(refused.code, "DependencyViolation");
        assert_eq!(refused.message, format!("resource {id} has a dependent object"));
    }
    lab.revoke(&worn, from_group(&named)).unwrap();
    lab.delete_group(&named).unwrap();
    assert_eq!(code(lab.delete_group(&named)), "InvalidGroup.NotFound");
    let own = lab.create("own").unwrap();
    lab.admit(&own, from_group(&own)).unwrap();
    lab.delete_group(&own).expect("what it names itself is no reason to stay");
}

#[test]
fn a_default_group_cannot_be_made_or_deleted_and_no_name_twice() {
    let mut lab = Lab::new(Pace::instant());
    let default = lab.ec2.instance(&lab.holder).unwrap().groups[0].group_id.clone();
    assert_eq!(code(lab.delete_group(&default)), "CannotDelete");
    assert_eq!(code(lab.create("default")), "InvalidParameterValue");
    assert_eq!(code(lab.create("sg-web")), "InvalidParameterValue");
    assert_eq!(code(lab.create("wéb")), "InvalidParameterValue");
    assert_eq!(code(lab.create("")), "MissingParameter");
    lab.create("web").unwrap();
    assert_eq!(code(lab.create("web")), "InvalidGroup.Duplicate");
}

#[test]
fn a_change_that_is_only_asked_about_changes_nothing() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.create("web").unwrap();
    let rules = ChangeRules {
        dry_run: true,
        group_id: Some(id.clone()),
        permissions: vec![from_group(&id)],
        ..ChangeRules::default()
    };
    let asked = Request::AuthorizeSecurityGroupIngress(rules);
    assert_eq!(code(lab.call(&asked)), "DryRunOperation");
    assert_eq!(lab.group(&id).ingress, []);
}
