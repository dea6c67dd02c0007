//! What several test modules begin with: one instance, one subnet, one launch, all plain.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use crate::names::InterfaceId;
use crate::spec::LaunchSpec;
use crate::world::{Instance, InstanceState, Interface, Placement, Subnet};

/// The primary interface of `instance`.
pub(crate) fn eni(instance: &str) -> InterfaceId {
    instance.replace("i-", "eni-").parse().unwrap()
}

/// A running instance with source/dest check off.
pub(crate) fn instance(id: &str, subnet: &str, zone: &str, address: &str) -> Instance {
    let address = address.parse().unwrap();
    Instance {
        id: id.parse().unwrap(),
        state: InstanceState::Running,
        state_reason: None,
        az: Some(zone.parse().unwrap()),
        subnet: Some(subnet.parse().unwrap()),
        vpc: Some("vpc-0000000a".parse().unwrap()),
        address: Some(address),
        interfaces: alloc::vec![Interface {
            id: eni(id),
            device_index: 0,
            address: Some(address),
            source_dest_check: Some(false),
            groups: alloc::vec!["sg-0000000a".parse().unwrap()],
            delete_on_termination: true,
            ipv6_addresses: 0,
            secondary_addresses: 0,
            public: None,
        }],
        image: Some("ami-0000000a".parse().unwrap()),
        instance_type: Some("t3.micro".parse().unwrap()),
        key: None,
        profile: None,
        tags: BTreeMap::new(),
        root_device_type: Some("ebs".into()),
        root_device: None,
        volumes: Vec::new(),
        ebs_optimized: false,
        monitoring: false,
        metadata: None,
        cpu: None,
        placement: Placement::default(),
        spot_request: None,
        managed_by: None,
    }
}

/// A subnet `172.31.third.0/20` with free addresses.
pub(crate) fn subnet(id: &str, zone: &str, third: u8) -> Subnet {
    Subnet {
        id: id.parse().unwrap(),
        az: zone.parse().unwrap(),
        cidr: format!("172.31.{third}.0/20").parse().unwrap(),
        free_addresses: 100,
        outpost: None,
        ipv6_only: false,
        public_addresses: false,
        tags: BTreeMap::new(),
    }
}

/// A launch that says nothing superfluous.
pub(crate) fn launch_spec() -> LaunchSpec {
    LaunchSpec {
        image: "ami-0000000a".parse().unwrap(),
        instance_type: "t3.micro".parse().unwrap(),
        key: None,
        groups: alloc::vec!["sg-0000000a".parse().unwrap()],
        profile: None,
        ebs_optimized: false,
        monitoring: false,
        metadata: None,
        cpu: None,
        credits: None,
        shutdown_behavior: None,
        dedicated: false,
        placement_group: None,
        partition: None,
        devices: Vec::new(),
        ipv6_addresses: 0,
        public_address: false,
        tags: BTreeMap::new(),
    }
}
