//! The ground truth of a small world: three machines or so, two tables, and what EC2 makes of it.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

use rehome_core::call::{Call, Launch, Reply};
use rehome_core::controller::Setup;
use rehome_core::fault::CallError;
use rehome_core::names::{Az, GroupId, InstanceId, InterfaceId, SubnetId, TableId, VpcId};
use rehome_core::net::Vip;
use rehome_core::time::Mono;
use rehome_core::world::{
    Check, Instance, InstanceState, Interface, PathPart, Placement, Route, RouteState, RouteTable,
    Status, Target, Zone,
};

use super::fingerprint::Fingerprint;

/// Route tables of the set. The monitor's packets go by the first.
pub(super) const TABLES: usize = 2;

/// Machines that have names: more than the budget allows.
const MACHINES: usize = 12;

/// From the launch until EC2 calls an instance running, and until its guest answers.
const RUNS_AFTER: u64 = 1_000_000_000;
const ANSWERS_AFTER: u64 = 2_000_000_000;

/// From the order until an instance has ended.
const ENDED_AFTER: u64 = 1_000_000_000;

/// For longer than this nobody is asked how long something has lasted.
const LASTED: u64 = 6_000_000_000;

/// Somebody else's machine that answers pings, and doesn't have the VIP.
pub(super) const NEIGHBOR: Ipv4Addr = Ipv4Addr::new(172, 31, 16, 200);

/// Names and all else that is the same in all states.
pub(super) struct Scene {
    pub(super) setup: Setup,
    pub(super) vip: Vip,
    pub(super) vpc: VpcId,
    pub(super) group: GroupId,
    pub(super) tables: Vec<TableId>,
    pub(super) zones: Vec<Az>,
    pub(super) subnets: Vec<SubnetId>,
    pub(super) instances: Vec<InstanceId>,
    pub(super) interfaces: Vec<InterfaceId>,
    stranger: InterfaceId,
}

/// The scene of all worlds.
pub(super) fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let (zones, subnets) = super::knobs::places();
        let name = |kind: &str, number: usize| format!("{kind}-{number:08x}");
        Scene {
            setup: super::knobs::setup(&zones, &subnets),
            vip: parsed("10.0.0.10"),
            vpc: parsed("vpc-0000000a"),
            group: parsed("sg-0000000a"),
            tables: (0..TABLES).map(|table| parsed(&name("rtb", table + 1))).collect(),
            zones,
            subnets,
            instances: (0..MACHINES).map(|machine| parsed(&name("i", machine))).collect(),
            interfaces: (0..MACHINES).map(|machine| parsed(&name("eni", machine))).collect(),
            stranger: parsed("eni-0000ffff"),
        }
    })
}

/// A name of ours, which is well formed.
pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("names in this folder are well formed")
}

/// Where in its life a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    Nowhere,
    ToStranger,
    To(usize),
}

/// A launch that a machine came of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) token: String,
    pub(super) generation: u64,
    pub(super) attempt: u64,
    tags: std::collections::BTreeMap<String, String>,
}

/// A machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) life: Life,
    pub(super) zone: usize,
    /// Whether its guest works.
    pub(super) well: bool,
    /// Whether its guest has the address.
    pub(super) has_vip: bool,
    /// Whether its source/dest check is on.
    pub(super) check: bool,
    pub(super) origin: Option<Arc<Origin>>,
    /// Whether people were told that it is left to them.
    pub(super) kept: bool,
    /// Whether it ever held the VIP, as the durable record has it.
    pub(super) held: bool,
    by_us: bool,
    born: Mono,
    ended: Mono,
    /// Since when it answers.
    pub(super) up_since: Option<Mono>,
    /// Since when it serves the VIP to some table.
    pub(super) serves_since: Option<Mono>,
}

impl Machine {
    /// Whether it runs or is going to.
    pub(super) fn lives(&self) -> bool {
        matches!(self.life, Life::Pending | Life::Running)
    }

    fn answers(&self, now: Mono) -> bool {
        self.life == Life::Running && self.well && now.0 >= self.born.0 + ANSWERS_AFTER
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) machines: Vec<Machine>,
    pub(super) routes: [Leads; TABLES],
    /// New machines come up without the address.
    pub(super) barren: bool,
}

impl Truth {
    /// One holder, and every route leads to it.
    pub(super) fn new() -> Truth {
        let holder = Machine {
            life: Life::Running,
            zone: 0,
            well: true,
            has_vip: true,
            check: false,
            origin: None,
            kept: false,
            held: true,
            by_us: false,
            born: Mono(0),
            ended: Mono(0),
            up_since: None,
            serves_since: None,
        };
        Truth { machines: vec![holder], routes: [Leads::To(0); TABLES], barren: false }
    }

    /// The number of the machine with this id.
    pub(super) fn number(&self, id: &InstanceId) -> Option<usize> {
        scene().instances[..self.machines.len()].iter().position(|known| known == id)
    }

    /// What comes by itself, up to `now`.
    pub(super) fn grow(&mut self, now: Mono) {
        for machine in &mut self.machines {
            if machine.life == Life::Pending && now.0 >= machine.born.0 + RUNS_AFTER {
                machine.life = Life::Running;
            }
            if machine.life == Life::ShuttingDown && now.0 >= machine.ended.0 + ENDED_AFTER {
                machine.life = Life::Terminated;
            }
        }
        for number in 0..self.machines.len() {
            let routed = self.routes.contains(&Leads::To(number));
            let machine = &mut self.machines[number];
            let up = machine.answers(now);
            let serves = up && machine.has_vip && !machine.check && routed;
            machine.up_since = up.then(|| machine.up_since.unwrap_or(now));
            machine.serves_since = serves.then(|| machine.serves_since.unwrap_or(now));
        }
    }

    /// Whether a ping to there is answered.
    pub(super) fn hears(&self, target: Ipv4Addr, now: Mono) -> bool {
        if target == NEIGHBOR {
            return true;
        }
        let answers = |machine: &Machine| machine.answers(now);
        if target == scene().vip.address {
            let Leads::To(number) = self.routes[0] else { return false };
            let machine = &self.machines[number];
            return answers(machine) && machine.has_vip && !machine.check;
        }
        let there = |number: &usize| address(*number) == target;
        (0..self.machines.len()).find(there).is_some_and(|number| answers(&self.machines[number]))
    }

    /// Whether every table leads to this machine and it serves.
    pub(super) fn is_served_by(&self, number: usize, now: Mono) -> bool {
        self.routes.iter().all(|route| *route == Leads::To(number))
            && self.hears(scene().vip.address, now)
    }

    /// What a call that changes nothing brings.
    pub(super) fn read(&self, call: &Call) -> Reply {
        let scene = scene();
        match call {
            Call::Instances { ids, .. } | Call::Listed { ids } => Reply::Instances(
                ids.iter().filter_map(|id| Some(self.show(self.number(id)?))).collect(),
            ),
            Call::Statuses { ids, .. } => Reply::Statuses(ids.iter().map(status).collect()),
            Call::Tables { .. } => Reply::Tables((0..TABLES).map(|t| self.table(t)).collect()),
            Call::Path { .. } => {
                Reply::Path(vec![PathPart::new("security group sg-0000000a".into(), [])])
            }
            Call::Zones => Reply::Zones(scene.zones.iter().cloned().map(well).collect()),
            Call::Launched { token } => {
                let of = |number: &usize| {
                    let origin = self.machines[*number].origin.as_ref();
                    origin.is_some_and(|origin| origin.token == *token)
                };
                let found = (0..self.machines.len()).filter(of);
                Reply::Instances(found.map(|number| self.show(number)).collect())
            }
            Call::Launch(launch) => match self.launched(launch) {
                Some(number) => Reply::Launched(Box::new(self.show(number))),
                None => Reply::Done,
            },
            Call::DisableSourceDestCheck { .. }
            | Call::ReplaceRoute { .. }
            | Call::CreateRoute { .. }
            | Call::Stop { .. }
            | Call::Terminate { .. } => Reply::Done,
        }
    }

    /// Does what a call asks for.
    pub(super) fn change(&mut self, call: &Call, now: Mono) -> Result<Reply, CallError> {
        match call {
            Call::Launch(launch) => {
                if self.launched(launch).is_none() {
                    self.launch(launch, now);
                }
            }
            Call::DisableSourceDestCheck { interface } => {
                let number = self.owner(interface)?;
                self.machines[number].check = false;
            }
            Call::ReplaceRoute { table, interface, .. } => {
                self.point(table, interface, false)?;
            }
            Call::CreateRoute { table, interface, .. } => {
                self.point(table, interface, true)?;
            }
            Call::Stop { instance, .. } | Call::Terminate { instance } => {
                let number = self.number(instance);
                let number = number.ok_or_else(|| refused("InvalidInstanceID.NotFound"))?;
                let machine = &mut self.machines[number];
                if machine.lives() {
                    machine.life = Life::ShuttingDown;
                    machine.ended = now;
                    machine.by_us = true;
                }
            }
            Call::Instances { .. }
            | Call::Listed { .. }
            | Call::Statuses { .. }
            | Call::Tables { .. }
            | Call::Path { .. }
            | Call::Zones
            | Call::Launched { .. } => {}
        }
        self.grow(now);
        Ok(self.read(call))
    }

    /// The machine that this launch brought already: a token holds within a zone.
    fn launched(&self, launch: &Launch) -> Option<usize> {
        self.machines.iter().position(|machine| {
            scene().zones[machine.zone] == launch.az
                && machine.origin.as_ref().is_some_and(|origin| origin.token == launch.token)
        })
    }

    fn launch(&mut self, launch: &Launch, now: Mono) {
        let zone = scene().zones.iter().position(|zone| *zone == launch.az);
        let tag = |key: &str| {
            let value = launch.tags.iter().find(|(name, _)| name.ends_with(key));
            value.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        let origin = Origin {
            token: launch.token.clone(),
            generation: tag(":generation"),
            attempt: tag(":attempt"),
            tags: launch.tags.clone(),
        };
        self.machines.push(Machine {
            life: Life::Pending,
            zone: zone.expect("launches go to places of ours"),
            well: true,
            has_vip: !self.barren,
            check: true,
            origin: Some(Arc::new(origin)),
            kept: false,
            held: false,
            by_us: false,
            born: now,
            ended: now,
            up_since: None,
            serves_since: None,
        });
    }

    fn owner(&self, interface: &InterfaceId) -> Result<usize, CallError> {
        let known = &scene().interfaces[..self.machines.len()];
        let number = known.iter().position(|known| known == interface);
        number
            .filter(|number| self.machines[*number].life != Life::Terminated)
            .ok_or_else(|| refused("InvalidNetworkInterfaceID.NotFound"))
    }

    fn point(&mut self, table: &TableId, to: &InterfaceId, add: bool) -> Result<(), CallError> {
        let number = self.owner(to)?;
        let table = scene().tables.iter().position(|known| known == table);
        let route = &mut self.routes[table.expect("only tables of the set are changed")];
        match (*route, add) {
            (Leads::Nowhere, false) => Err(CallError::Refused {
                code: "InvalidParameterValue".into(),
                message: "There is no route defined for it".into(),
            }),
            (Leads::To(_) | Leads::ToStranger, true) => Err(refused("RouteAlreadyExists")),
            (Leads::Nowhere, true) | (Leads::To(_) | Leads::ToStranger, false) => {
                *route = Leads::To(number);
                Ok(())
            }
        }
    }

    fn show(&self, number: usize) -> Instance {
        let (scene, machine) = (scene(), &self.machines[number]);
        let gone = machine.life == Life::Terminated;
        let interface = Interface {
            id: scene.interfaces[number].clone(),
            device_index: 0,
            address: Some(address(number)),
            source_dest_check: Some(machine.check),
            groups: vec![scene.group.clone()],
            delete_on_termination: true,
            ipv6_addresses: 0,
            secondary_addresses: 0,
            public: None,
        };
        let ended = !machine.lives();
        let reason =
            if machine.by_us { "Client.UserInitiatedShutdown" } else { "Server.InternalError" };
        Instance {
            id: scene.instances[number].clone(),
            state: match machine.life {
                Life::Pending => InstanceState::Pending,
                Life::Running => InstanceState::Running,
                Life::ShuttingDown => InstanceState::ShuttingDown,
                Life::Terminated => InstanceState::Terminated,
            },
            state_reason: ended.then(|| reason.into()),
            az: Some(scene.zones[machine.zone].clone()),
            subnet: (!gone).then(|| scene.subnets[machine.zone].clone()),
            vpc: (!gone).then(|| scene.vpc.clone()),
            address: (!gone).then(|| address(number)),
            interfaces: if gone { Vec::new() } else { vec![interface] },
            image: None,
            instance_type: None,
            key: None,
            profile: None,
            tags: machine.origin.as_ref().map(|origin| origin.tags.clone()).unwrap_or_default(),
            root_device_type: None,
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

    fn table(&self, table: usize) -> RouteTable {
        let scene = scene();
        let (target, active) = match self.routes[table] {
            Leads::Nowhere => (None, false),
            Leads::ToStranger => {
                (Some(Target::Interface { id: scene.stranger.clone(), instance: None }), true)
            }
            Leads::To(number) => {
                let instance = Some(scene.instances[number].clone());
                let id = scene.interfaces[number].clone();
                let runs = self.machines[number].life == Life::Running;
                (Some(Target::Interface { id, instance }), runs)
            }
        };
        let state = if active { RouteState::Active } else { RouteState::Blackhole };
        let route =
            |target| Route { destination: scene.vip.destination, target, state, by_hand: true };
        RouteTable {
            id: scene.tables[table].clone(),
            main: table == 0,
            subnets: Vec::new(),
            gateways: Vec::new(),
            routes: target.map(route).into_iter().collect(),
        }
    }

    /// What of it decides what comes next.
    pub(super) fn note(&self, into: &mut Fingerprint, now: Mono) {
        let lasted = |since: Option<Mono>| {
            since.map_or(0, |since| 1 + now.since(since).as_nanos().min(LASTED.into()) as u64)
        };
        let age = |since: Mono| now.since(since).as_nanos().min(LASTED.into()) as u64;
        into.word(self.machines.len() as u64);
        for machine in &self.machines {
            let flags = [machine.well, machine.has_vip, machine.check, machine.kept, machine.held];
            let flags = flags.iter().fold(0, |sum, flag| sum * 2 + u64::from(*flag));
            into.word(flags * 64 + machine.zone as u64 * 8 + machine.life as u64);
            into.word(u64::from(machine.by_us));
            if let Some(origin) = &machine.origin {
                into.part(&origin.token);
                into.word(age(machine.born).min(ANSWERS_AFTER));
            }
            if machine.life == Life::ShuttingDown {
                into.word(age(machine.ended));
            }
            into.word(lasted(machine.up_since));
            into.word(lasted(machine.serves_since));
        }
        for route in self.routes {
            into.word(match route {
                Leads::Nowhere => 0,
                Leads::ToStranger => 1,
                Leads::To(number) => 2 + number as u64,
            });
        }
        into.word(u64::from(self.barren));
    }
}

/// The primary address of a machine.
pub(super) fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(172, 31, 48, 10 + u8::try_from(number).expect("there are a few machines"))
}

/// A refusal by its code.
pub(super) fn refused(code: &str) -> CallError {
    CallError::Refused { code: code.into(), message: String::new() }
}

fn status(id: &InstanceId) -> Status {
    Status {
        instance: id.clone(),
        system: Check::Ok,
        guest: Check::Unknown,
        ebs: Check::Unknown,
        events: Vec::new(),
    }
}

fn well(name: Az) -> Zone {
    Zone { name, kind: "availability-zone".into(), available: true }
}
