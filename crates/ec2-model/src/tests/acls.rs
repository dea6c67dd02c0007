//! Network ACLs: their entries, and what a subnet then lets through.

use super::*;
use crate::{
    AclRule, PlaneAcl, Traffic,
    api::{
        CreateNetworkAcl, DeleteNetworkAcl, DeleteNetworkAclEntry, NetworkAcl, PutNetworkAclEntry,
        ReplaceNetworkAclAssociation,
    },
};

impl Lab {
    fn acls(&mut self) -> Vec<NetworkAcl> {
        let answer = self.call(&Request::DescribeNetworkAcls(Select::default()));
        let Ok(Response::DescribeNetworkAcls(page)) = answer else { panic!("another answer") };
        page.items
    }

    fn default_acl(&mut self) -> NetworkAcl {
        self.acls().into_iter().find(|acl| acl.default).unwrap()
    }

    fn new_acl(&mut self) -> String {
        let vpc_id = self.vpc.clone();
        let create = CreateNetworkAcl { vpc_id, ..CreateNetworkAcl::default() };
        let answer = self.call(&Request::CreateNetworkAcl(create));
        let Ok(Response::CreateNetworkAcl(made)) = answer else { panic!("another answer") };
        made.network_acl_id
    }

    fn acl_of(&self, zone: char) -> PlaneAcl {
        let plane = self.ec2.plane(self.now);
        let subnet = plane.subnets.iter().find(|subnet| subnet.id == self.subnets[&zone]);
        subnet.unwrap().acl.clone()
    }
}

fn entry(acl: &str, number: i64, action: &str) -> PutNetworkAclEntry {
    PutNetworkAclEntry {
        network_acl_id: acl.into(),
        rule_number: Some(number),
        egress: Some(false),
        protocol: "1".into(),
        rule_action: action.into(),
        cidr_block: Some("10.0.0.100/24".into()),
        icmp_type_code: Some((-1, -1)),
        ..PutNetworkAclEntry::default()
    }
}

fn code<T: core::fmt::Debug>(answer: Result<T, ApiError>) -> String {
    answer.unwrap_err().code
}

const EVERYTHING: Traffic = Traffic::Any;

fn rule(allow: bool, traffic: Traffic, peer: &str) -> AclRule {
    AclRule { allow, traffic, peer: peer.parse().unwrap() }
}

#[test]
fn a_default_acl_lets_everything_through_both_ways_and_a_new_one_nothing() {
    let mut lab = Lab::new(Pace::instant());
    let open = [rule(true, EVERYTHING, "0.0.0.0/0"), rule(false, EVERYTHING, "0.0.0.0/0")];
    let acl = lab.acl_of('a');
    assert_eq!((&acl.inbound[..], &acl.outbound[..]), (&open[..], &open[..]));
    let closed = lab.new_acl();
    let default = lab.default_acl();
    let subnet = lab.subnets[&'a'].clone();
    let place = default.associations.iter().find(|a| a.subnet_id == subnet).unwrap();
    let replace = ReplaceNetworkAclAssociation {
        association_id: place.network_acl_association_id.clone(),
        network_acl_id: closed.clone(),
        dry_run: false,
    };
    lab.call(&Request::ReplaceNetworkAclAssociation(replace.clone())).unwrap();
    let acl = lab.acl_of('a');
    assert_eq!((&acl.inbound[..], &acl.outbound[..]), (&open[1..], &open[1..]));
    assert_eq!(lab.acl_of('b').inbound, open, "another subnet keeps its own");
    let again = lab.call(&Request::ReplaceNetworkAclAssociation(replace));
    assert_eq!(code(again), "InvalidAssociationID.NotFound");
    let delete = |id: &str| {
        Request::DeleteNetworkAcl(DeleteNetworkAcl { network_acl_id: id.into(), dry_run: false })
    };
    assert_eq!(code(lab.call(&delete(&closed))), "DependencyViolation");
    assert_eq!(code(lab.call(&delete(&default.network_acl_id))), "InvalidParameterValue");
}

#[test]
fn entries_stand_in_the_order_of_their_numbers() {
    let mut lab = Lab::new(Pace::instant());
    let acl = lab.default_acl().network_acl_id;
    lab.call(&Request::CreateNetworkAclEntry(entry(&acl, 90, "deny"))).unwrap();
    let denied = rule(false, Traffic::Icmp(None, None), "10.0.0.0/24");
    assert_eq!(lab.acl_of('a').inbound[0], denied);
    assert_eq!(lab.acl_of('a').outbound.len(), 2, "the other direction is another list");
    lab.call(&Request::ReplaceNetworkAclEntry(entry(&acl, 90, "allow"))).unwrap();
    assert_eq!(lab.acl_of('a').inbound[0], AclRule { allow: true, ..denied });
    let delete = DeleteNetworkAclEntry {
        network_acl_id: acl,
        rule_number: Some(90),
        egress: Some(false),
        dry_run: false,
    };
    lab.call(&Request::DeleteNetworkAclEntry(delete.clone())).unwrap();
    assert_eq!(lab.acl_of('a').inbound.len(), 2);
    let gone = lab.call(&Request::DeleteNetworkAclEntry(delete)).unwrap_err();
    assert_eq!(gone.code, "InvalidNetworkAclEntry.NotFound");
    assert_eq!(gone.message, "no ingress entry with number 90");
}

#[test]
fn what_is_no_entry_is_refused() {
    let mut lab = Lab::new(Pace::instant());
    let acl = lab.default_acl().network_acl_id;
    let good = entry(&acl, 90, "deny");
    for (wrong, expected) in [
        (PutNetworkAclEntry { rule_number: Some(0), ..good.clone() }, "InvalidParameterValue"),
        (PutNetworkAclEntry { rule_number: Some(32_767), ..good.clone() }, "InvalidParameterValue"),
        (PutNetworkAclEntry { rule_number: None, ..good.clone() }, "MissingParameter"),
        (
            PutNetworkAclEntry { rule_action: "drop".into(), ..good.clone() },
            "InvalidParameterValue",
        ),
        (PutNetworkAclEntry { protocol: "6".into(), ..good.clone() }, "MissingParameter"),
        (PutNetworkAclEntry { icmp_type_code: None, ..good.clone() }, "MissingParameter"),
        (PutNetworkAclEntry { cidr_block: None, ..good.clone() }, "MissingParameter"),
        (
            PutNetworkAclEntry { cidr_block: Some("nowhere".into()), ..good.clone() },
            "InvalidParameterValue",
        ),
        (
            PutNetworkAclEntry { rule_number: Some(100), ..good.clone() },
            "NetworkAclEntryAlreadyExists",
        ),
        (
            PutNetworkAclEntry { network_acl_id: "acl-0123456789abcdef0".into(), ..good.clone() },
            "InvalidNetworkAclID.NotFound",
        ),
    ] {
        let answer = lab.call(&Request::CreateNetworkAclEntry(wrong.clone()));
        assert_eq!(code(answer), expected, "{wrong:?}");
    }
    let answer = lab.call(&Request::ReplaceNetworkAclEntry(good));
    assert_eq!(code(answer), "InvalidNetworkAclEntry.NotFound");
    assert_eq!(lab.default_acl().entries.len(), 4);
}

#[test]
fn a_port_range_belongs_to_tcp_and_udp() {
    let mut lab = Lab::new(Pace::instant());
    let acl = lab.default_acl().network_acl_id;
    let port_range = Some((1024, 65_535));
    let mut ports =
        PutNetworkAclEntry { port_range, icmp_type_code: None, ..entry(&acl, 1, "deny") };
    ports.protocol = "17".into();
    lab.call(&Request::CreateNetworkAclEntry(ports)).unwrap();
    assert_eq!(lab.acl_of('c').inbound[0].traffic, Traffic::Udp(1024, 65_535));
}
