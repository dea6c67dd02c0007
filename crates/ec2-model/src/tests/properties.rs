//! What holds after any sequence of calls, waits and faults.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    Guest, Plane, PlaneTarget,
    api::{RebootInstances, StartInstances},
};

const VIP: &str = "10.0.0.10/32";

/// One step of a story. Numbers pick among what is there.
#[derive(Clone, Debug)]
enum Op {
    Run { zone: char, token: u8, count: i64 },
    Start(usize),
    Stop { which: usize, force: bool },
    Reboot(usize),
    Terminate(usize),
    Create(usize),
    Replace(usize),
    Delete,
    Report(usize, Guest),
    Hang(usize, bool),
    Capacity(char, Option<u32>),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let zone = || prop_oneof![Just('a'), Just('b'), Just('c')];
    let guest =
        prop_oneof![Just(Guest::Reachable), Just(Guest::Unreachable), Just(Guest::PoweredOff)];
    prop_oneof![
        4 => (zone(), 0..4_u8, 1..3_i64)
            .prop_map(|(zone, token, count)| Op::Run { zone, token, count }),
        2 => any::<usize>().prop_map(Op::Start),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, force)| Op::Stop { which, force }),
        1 => any::<usize>().prop_map(Op::Reboot),
        3 => any::<usize>().prop_map(Op::Terminate),
        1 => any::<usize>().prop_map(Op::Create),
        3 => any::<usize>().prop_map(Op::Replace),
        1 => Just(Op::Delete),
        2 => (any::<usize>(), guest).prop_map(|(which, guest)| Op::Report(which, guest)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, on)| Op::Hang(which, on)),
        1 => (zone(), proptest::option::of(0..4_u32))
            .prop_map(|(zone, most)| Op::Capacity(zone, most)),
        4 => prop_oneof![0..3_000_u64, 0..100_000_u64, Just(4_000_000_u64)].prop_map(Op::Wait),
    ]
}

impl Lab {
    fn pick(&self, which: usize) -> String {
        let known: Vec<String> = self.ec2.world.instances.ids();
        known.get(which % known.len().max(1)).cloned().unwrap_or_else(|| self.holder.clone())
    }

    /// Answers of any kind are fine: what matters is what is left behind.
    fn perform(&mut self, op: &Op) {
        let route = |lab: &Lab, which: usize| {
            let id = lab.pick(which);
            let instance = lab.ec2.instance(&id);
            let eni = instance.and_then(|i| i.network_interfaces.first().cloned());
            lab.route_to(VIP, &eni.map(|e| e.network_interface_id).unwrap_or_default())
        };
        let request = match op {
            Op::Run { zone, token, count } => Request::RunInstances(Box::new(RunInstances {
                client_token: (*token > 0).then(|| format!("token-{token}")),
                max_count: Some(*count),
                ..self.launch(*zone)
            })),
            Op::Start(which) => Request::StartInstances(StartInstances {
                instance_ids: vec![self.pick(*which)],
                dry_run: false,
            }),
            Op::Stop { which, force } => Request::StopInstances(StopInstances {
                instance_ids: vec![self.pick(*which)],
                force: *force,
                ..StopInstances::default()
            }),
            Op::Reboot(which) => Request::RebootInstances(RebootInstances {
                instance_ids: vec![self.pick(*which)],
                dry_run: false,
            }),
            Op::Terminate(which) => Request::TerminateInstances(TerminateInstances {
                instance_ids: vec![self.pick(*which)],
                ..TerminateInstances::default()
            }),
            Op::Create(which) => Request::CreateRoute(route(self, *which)),
            Op::Replace(which) => Request::ReplaceRoute(route(self, *which)),
            Op::Delete => Request::DeleteRoute(crate::api::DeleteRoute {
                route_table_id: self.table.clone(),
                destination_cidr_block: Some(VIP.into()),
                ..Default::default()
            }),
            Op::Report(which, guest) => {
                let id = self.pick(*which);
                return self.ec2.report(self.now, &id, *guest);
            }
            Op::Hang(which, on) => {
                let id = self.pick(*which);
                self.ec2.set_hanging(self.now, &id, *on);
                return;
            }
            Op::Capacity(zone, most) => {
                return self.ec2.set_capacity(&format!("eu-west-1{zone}"), None, *most);
            }
            Op::Wait(ms) => return self.wait(*ms),
        };
        if let Err(error) = self.call(&request) {
            assert!(error.status >= 400, "{error}");
            assert!(!error.message.is_empty());
        }
    }

    fn check(&mut self, before: Time) {
        assert!(self.ec2.now() >= before, "time goes forward");
        let now = self.ec2.now();
        if let Some(next) = self.ec2.next_change() {
            assert!(next >= now || self.ec2.pace().launch_ms == 0, "nothing is overdue");
        }
        self.check_tokens();
        self.check_addresses();
        self.check_routes();
    }

    /// Never two reservations alive for one token in one zone.
    fn check_tokens(&self) {
        let mut reservations: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        let alive = self.ec2.world.instances.values().filter(|i| !i.is_ending());
        for instance in alive.filter(|i| !i.token.is_empty()) {
            let of_token = reservations.entry((&instance.token, &instance.zone)).or_default();
            of_token.insert(&instance.reservation);
        }
        for (token, reservations) in reservations {
            assert_eq!(reservations.len(), 1, "{token:?}");
        }
    }

    fn check_addresses(&mut self) {
        let world = &self.ec2.world;
        let mut used: BTreeMap<&str, BTreeSet<std::net::Ipv4Addr>> = BTreeMap::new();
        for instance in world.instances.values() {
            let ended = instance.state == InstanceState::Terminated;
            assert_eq!(instance.interfaces.is_empty(), ended, "{:?}", instance.state);
            for id in &instance.interfaces {
                let interface = world.interfaces.get(id).expect("a live instance's interface");
                assert_eq!(interface.attachment.as_ref().unwrap().instance, instance.id);
                let fresh = used.entry(&interface.subnet).or_default().insert(interface.ip);
                assert!(fresh, "{} twice", interface.ip);
            }
        }
        for subnet in world.subnets.values() {
            let used = used.remove(subnet.id.as_str()).unwrap_or_default();
            assert!(used.iter().all(|ip| subnet.cidr.contains(*ip)));
            assert_eq!(u64::from(world.free_addresses(subnet)), 4096 - 5 - used.len() as u64);
        }
    }

    /// A route is active exactly while its interface's machine has power, for callers and for
    /// the data plane alike.
    fn check_routes(&mut self) {
        let told = self.route(VIP);
        let Plane { instances, tables, .. } = self.ec2.plane(self.ec2.now());
        let table = tables.iter().find(|table| table.id == self.table).unwrap();
        let planned = table.routes.iter().find(|r| r.destination.to_string() == VIP);
        let (Some(told), Some(planned)) = (&told, planned) else {
            assert!(told.is_none() && planned.is_none());
            return;
        };
        let eni = told.network_interface_id.clone().unwrap();
        let powered = instances.iter().any(|i| i.eni == eni && i.powered);
        assert_eq!(told.state == "active", powered);
        let target = if powered { PlaneTarget::Eni(eni) } else { PlaneTarget::Blackhole };
        assert_eq!(planned.target, target);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_account_stays_sound(
        seed: u64,
        pace in prop_oneof![Just(Pace::real()), Just(Pace::fast()), Just(Pace::instant())],
        story in proptest::collection::vec(op(), 1..60),
    ) {
        let mut lab = Lab::with_seed(pace, seed);
        lab.ec2.set_throttling(false);
        for op in &story {
            let before = lab.ec2.now();
            lab.perform(op);
            lab.check(before);
        }
    }

    #[test]
    fn the_same_seed_and_story_make_the_same_account(
        seed: u64,
        story in proptest::collection::vec(op(), 1..30),
    ) {
        let play = || {
            let mut lab = Lab::with_seed(Pace::fast(), seed);
            story.iter().for_each(|op| lab.perform(op));
            lab.ec2
        };
        prop_assert_eq!(play(), play());
    }

    #[test]
    fn waiting_in_pieces_is_waiting_at_once(
        story in proptest::collection::vec(op(), 1..20),
        pieces in proptest::collection::vec(0..40_000_u64, 1..12),
    ) {
        let mut lab = Lab::new(Pace::real());
        story.iter().for_each(|op| lab.perform(op));
        let mut other = lab.clone();
        pieces.iter().for_each(|ms| lab.wait(*ms));
        other.wait(pieces.iter().sum());
        prop_assert_eq!(lab.ec2.world, other.ec2.world);
    }
}
