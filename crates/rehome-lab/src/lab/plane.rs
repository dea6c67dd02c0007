//! The model's wanted picture, as the lab's task uses it. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ec2_model::{
    Admits, Cidr, Plane, PlaneAcl, PlaneInstance, PlaneSubnet, PlaneTable, PlaneTarget, Time,
};

use crate::guest::BootSpec;
use crate::machine::{self, Machine, Stage};
use crate::router::filter::{Guard, Loss};
use crate::router::{API, Port, Table, Target};
use crate::topology::{MONITOR_NAME, REGION};

/// The interface's name on the monitor, as in the mission's own commands; on all others
/// `eth0`. Amazon's images have either, by instance type.
const MONITOR_INTERFACE: &str = "enX0";
const INTERFACE: &str = "eth0";

/// Everything the data plane must bring about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    pub(super) instances: Vec<Instance>,
    pub(super) tables: Vec<Table>,
    /// Network ACLs by subnet.
    pub(super) acls: BTreeMap<String, PlaneAcl>,
}

/// One instance with what its wire needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Instance {
    pub(super) id: String,
    /// Its Name tag, or empty.
    pub(super) name: String,
    pub(super) az: String,
    pub(super) mac: String,
    pub(super) address: Ipv4Addr,
    pub(super) gateway: Ipv4Addr,
    /// Its power is on, or it reboots.
    pub(super) powered: bool,
    /// Its guest starts then.
    pub(super) boot_at: Time,
    pub(super) boots: u32,
    prefix: u8,
    eni: String,
    subnet: String,
    admits: Admits,
    /// The route table of its subnet.
    table: String,
    checked: bool,
    user_data: Option<Vec<u8>>,
    hostname: String,
}

/// Takes from the model's picture what the data plane acts on.
pub(super) fn wanted(plane: &Plane) -> Wanted {
    let instance = |instance: &PlaneInstance| {
        let subnet = plane.subnets.iter().find(|subnet| subnet.id == instance.subnet)?;
        let serves = |table: &&PlaneTable| table.subnets.contains(&subnet.id);
        let table = plane.tables.iter().find(serves).map(|table| table.id.clone());
        Some(one_instance(instance, subnet, table.unwrap_or_default()))
    };
    Wanted {
        instances: plane.instances.iter().filter_map(instance).collect(),
        tables: plane.tables.iter().map(one_table).collect(),
        acls: plane.subnets.iter().map(|s| (s.id.clone(), s.acl.clone())).collect(),
    }
}

fn one_instance(instance: &PlaneInstance, subnet: &PlaneSubnet, table: String) -> Instance {
    let hostname = instance.hostname.split('.').next().unwrap_or_default();
    Instance {
        id: instance.id.clone(),
        name: instance.name.clone(),
        az: instance.az.clone(),
        mac: instance.mac.clone(),
        address: instance.private_ip,
        gateway: subnet.gateway,
        powered: instance.powered,
        boot_at: instance.boot_at,
        boots: instance.boots,
        prefix: subnet.cidr.prefix,
        eni: instance.eni.clone(),
        subnet: instance.subnet.clone(),
        admits: instance.admits.clone(),
        table,
        checked: instance.source_dest_check,
        user_data: instance.user_data.clone(),
        hostname: hostname.to_owned(),
    }
}

fn one_table(table: &PlaneTable) -> Table {
    let routes = table.routes.iter().map(|route| {
        let target = match &route.target {
            PlaneTarget::Local => Target::Local,
            PlaneTarget::Eni(id) => Target::Interface(id.clone()),
            PlaneTarget::Blackhole | PlaneTarget::Internet => Target::Nowhere,
        };
        (Cidr::new(route.destination.address, route.destination.prefix), target)
    });
    Table { id: table.id.clone(), routes: routes.collect() }
}

impl Wanted {
    /// The ports that exist now: those of machines with a wire.
    pub(super) fn ports(&self, machines: &BTreeMap<String, Machine>) -> Vec<Port> {
        let port = |instance: &Instance| {
            let machine = machines.get(&instance.id)?;
            let wired = matches!(machine.stage, Stage::Wired | Stage::Up);
            wired.then(|| Port {
                device: machine.device.clone(),
                eni: instance.eni.clone(),
                address: instance.address,
                checked: instance.checked,
                table: instance.table.clone(),
            })
        };
        self.instances.iter().filter_map(port).collect()
    }

    /// The same ports with what may pass them, by instance. Nothing is broken on them yet.
    pub(super) fn guards(&self, machines: &BTreeMap<String, Machine>) -> BTreeMap<String, Guard> {
        let guard = |instance: &Instance| {
            let machine = machines.get(&instance.id)?;
            let wired = matches!(machine.stage, Stage::Wired | Stage::Up);
            let guard = Guard {
                device: machine.device.clone(),
                number: machine::mark_number(machine.serial),
                subnet: instance.subnet.clone(),
                admits: instance.admits.clone(),
                cut: false,
                loss: Loss::default(),
            };
            wired.then(|| (instance.id.clone(), guard))
        };
        self.instances.iter().filter_map(guard).collect()
    }

    /// When the next guest is to be started.
    pub(super) fn next_boot(&self, now: Time) -> Option<Time> {
        let powered = self.instances.iter().filter(|instance| instance.powered);
        powered.map(|instance| instance.boot_at).filter(|at| *at > now).min()
    }

    /// The instances that `target` means: an id, a name, or an Availability Zone.
    pub(super) fn find(&self, target: &str) -> Vec<&Instance> {
        let named = |i: &&Instance| i.id == target || i.name == target || i.az == target;
        self.instances.iter().filter(named).collect()
    }
}

impl Instance {
    /// How people may call it.
    pub(super) fn label(&self) -> String {
        if self.name.is_empty() { self.id.clone() } else { self.name.clone() }
    }

    /// What the guest needs to know.
    pub(super) fn boot_spec(&self) -> BootSpec {
        let interface = if self.name == MONITOR_NAME { MONITOR_INTERFACE } else { INTERFACE };
        BootSpec {
            hostname: self.hostname.clone(),
            interface: interface.to_owned(),
            address: self.address,
            prefix: self.prefix,
            gateway: self.gateway,
            disk: machine::disk(&self.id),
            user_data: self.user_data.clone(),
            region: REGION.to_owned(),
            endpoint: format!("http://{API}"),
        }
    }
}
