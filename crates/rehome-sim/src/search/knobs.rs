//! The knobs of small worlds: the shortest durations that keep every comparison apart.

use std::time::Duration;

use rehome_core::controller::Setup;
use rehome_core::names::{Az, SubnetId};
use rehome_core::placement::Site;
use rehome_core::policy::{FenceMode, Policy, StandbyMode};
use rehome_core::record::{FORMAT, Home, Record};
use rehome_core::spec::{LaunchSpec, Wishes};

use super::truth::{NEIGHBOR, address, parsed, scene};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Launches of one move.
pub(super) const LAUNCHES_MAX: u32 = 2;

/// Moves in the time that a world lasts.
pub(super) const MOVES_MAX: u32 = 3;

/// Zones and their subnets; the holder begins in the first.
pub(super) fn places() -> (Vec<Az>, Vec<SubnetId>) {
    let zones = ["a", "b", "c"].map(|zone| parsed(&format!("us-east-1{zone}")));
    let subnets = ["a", "b", "c"].map(|subnet| parsed(&format!("subnet-0000000{subnet}")));
    (zones.into(), subnets.into())
}

/// One source, one control target, two places that a replacement could go to.
pub(super) fn setup(zones: &[Az], subnets: &[SubnetId]) -> Setup {
    let site = |number: usize| Site {
        az: zones[number].clone(),
        subnet: subnets[number].clone(),
        cidr: parsed(&format!("172.31.{}.0/20", 16 * number)),
    };
    let sites = vec![site(1), site(2)];
    Setup {
        policy: policy(),
        sources: vec![None],
        controls: vec![NEIGHBOR],
        user_data: sites.iter().map(|site| (site.subnet.clone(), "digest".into())).collect(),
        sites,
        wishes: Wishes::default(),
        familiar: true,
        near_groups: Vec::new(),
        canary: None,
        near_subnet: None,
        near_interface: None,
    }
}

fn policy() -> Policy {
    Policy {
        interval: secs(1),
        timeout: secs(1),
        fall: 2,
        rise: 1,
        losses_min: 2,
        // No bursts: a round of probes each second is a step.
        burst_factor: 1,
        burst_interval_min: secs(1),
        burst_max: secs(6),
        commit_after: secs(3),
        address_lost_after: secs(4),
        launches_max: LAUNCHES_MAX,
        hold: secs(5),
        moves_per_hour: MOVES_MAX,
        moves_per_day: MOVES_MAX,
        poll_interval: secs(2),
        poll_interval_moving: secs(1),
        ready_within: secs(6),
        cut_within: secs(4),
        verify_within: secs(4),
        fence_after: secs(2),
        spare_kept: secs(3),
        look_often: secs(6),
        stop_within: secs(2),
        unfamiliar: secs(4),
        invisible_max: secs(6),
        // What is told is no part of a state.
        report_interval: secs(86_400),
        fence: FenceMode::Terminate,
        standby: StandbyMode::Cold,
        observe: false,
    }
}

/// What a first start would remember.
pub(super) fn record() -> Record {
    let scene = scene();
    Record {
        format: FORMAT,
        revision: 0,
        vip: scene.vip,
        vpc: scene.vpc.clone(),
        account: "123456789012".into(),
        generation: 0,
        attempts: 0,
        holder: Home {
            instance: scene.instances[0].clone(),
            interface: scene.interfaces[0].clone(),
            address: address(0),
            az: scene.zones[0].clone(),
            subnet: scene.subnets[0].clone(),
            groups: vec![scene.group.clone()],
            answered: false,
        },
        route_set: scene.tables.clone(),
        heard_by: Vec::new(),
        path: Vec::new(),
        spec: spec(),
        moving: None,
        disposals: Vec::new(),
        lost_launches: Vec::new(),
        standby: None,
        standby_spec: None,
        standby_launches: Vec::new(),
        former: Vec::new(),
        moves: Vec::new(),
    }
}

fn spec() -> LaunchSpec {
    LaunchSpec {
        image: parsed("ami-0000000a"),
        instance_type: parsed("t3.micro"),
        key: None,
        groups: vec![parsed("sg-0000000a")],
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
        tags: std::collections::BTreeMap::new(),
    }
}
