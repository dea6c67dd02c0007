//! What is done to a world: the simulator's kinds of fault at a moment of the scenario's choosing,
//! and a few deeds that aim where chance would choose.

use ec2_model::api::{DeleteRoute, Request, Response, Select, StartInstances, TerminateInstances};
use ec2_model::{Fault, FaultEffect};

use super::play::{Ends, Play, Wrong, unmet};
use crate::account::vip;
use crate::aws::route;
use crate::fault::Kind;
use crate::strike::Struck;
use crate::time::model;

impl Play {
    fn note(&mut self, what: &str) {
        self.world.trace.note(format_args!("deed: {what}"));
    }

    /// A fault of this kind strikes now; one that lasts does so until [`Play::over`].
    pub(super) fn strike(&mut self, kind: Kind, strength: u64) -> Ends {
        let name = kind.spec().name;
        self.note(&format!("{name} ({strength})"));
        match self.world.strike(kind, strength) {
            Struck::Missed => return unmet(format!("{name} finds nothing to strike")),
            Struck::Once => {}
            Struck::Lasting(token) => {
                self.world.strokes += 1;
                self.world.active[kind as usize] = Some((self.world.strokes, token));
                self.world.refresh();
            }
        }
        Ok(())
    }

    /// A fault that lasts is over.
    pub(super) fn over(&mut self, kind: Kind) -> Ends {
        let Some((stroke, _)) = self.world.active[kind as usize] else {
            return unmet(format!("{} is not under way", kind.spec().name));
        };
        self.world.over(kind as usize, stroke);
        Ok(())
    }

    /// An action of EC2 fails in this way; gives the number for [`Play::mend`].
    pub(super) fn fail(
        &mut self,
        action: &str,
        times: Option<u32>,
        after: bool,
        effect: FaultEffect,
    ) -> u64 {
        self.note(&format!("{action} fails: {effect:?}"));
        let action = action.to_owned();
        let fault = Fault { action, zone: None, instance_type: None, times, after, effect };
        self.world.ec2.add_fault(fault)
    }

    /// An action of EC2 answers this code and does nothing.
    pub(super) fn refuse(&mut self, action: &str, times: Option<u32>, code: &str) -> u64 {
        let effect = FaultEffect::Error { code: code.to_owned(), message: None };
        self.fail(action, times, false, effect)
    }

    /// The failure of an action is over.
    pub(super) fn mend(&mut self, number: u64) {
        self.note("EC2 is mended");
        self.world.ec2.remove_fault(number);
    }

    /// Nothing passes between the monitors and this zone, or all is well again.
    pub(super) fn cut_zone(&mut self, zone: Option<usize>) {
        self.note(&format!("nothing passes to zone {zone:?}"));
        self.world.net.cut_zone = zone.map(|zone| self.world.account.zones[zone].clone());
        self.world.refresh();
    }

    /// How many instances all zones have room for; `None` for enough.
    pub(super) fn set_room(&mut self, most: Option<u32>) {
        self.note(&format!("room for {most:?} instances in each zone"));
        for zone in &self.world.account.zones {
            self.world.ec2.set_capacity(zone, None, most);
        }
    }

    /// Every guest of a zone dies, EC2 calls the zone impaired, and readings of it fail.
    pub(super) fn kill_zone(&mut self, zone: usize) {
        let name = self.world.account.zones[zone].clone();
        self.note(&format!("zone {name} dies"));
        self.world.ec2.impair_zone(model(self.world.now), &name);
        let there = self.world.plane.instances.iter().filter(|instance| instance.az == name);
        let ids: Vec<String> = there.map(|instance| instance.id.clone()).collect();
        for guest in self.world.guests.iter_mut().filter(|guest| ids.contains(&guest.id)) {
            guest.dead = true;
        }
        self.world.refresh();
    }

    /// A guest dies, or answers again.
    pub(super) fn set_dead(&mut self, instance: &str, dead: bool) {
        self.note(&format!("{instance} {}", if dead { "dies" } else { "answers again" }));
        if let Some(guest) = self.world.guests.iter_mut().find(|guest| guest.id == *instance) {
            guest.dead = dead;
        }
        self.world.refresh();
    }

    /// The holder of a VIP dies without a word from EC2; gives its id.
    pub(super) fn kill_holder(&mut self, number: usize) -> String {
        let holder = self.world.holder(number);
        self.set_dead(&holder, true);
        holder
    }

    /// The process dies and is started again at once.
    pub(super) fn crash(&mut self, process: usize) {
        self.world.crash(process, 0);
    }

    /// An instance's interface.
    pub(super) fn interface(&self, instance: &str) -> Result<String, Wrong> {
        let found = self.world.plane.instances.iter().find(|one| one.id == *instance);
        match found {
            Some(one) => Ok(one.eni.clone()),
            None => unmet(format!("{instance} is gone")),
        }
    }

    /// Somebody points the route for a VIP in a table of the account to an interface.
    pub(super) fn point(&mut self, table: usize, number: usize, interface: &str) {
        let table = self.world.account.tables[table].clone();
        self.note(&format!("somebody points {} to {interface} in {table}", vip(number)));
        let route = route(&table, &format!("{}/32", vip(number)), interface);
        self.world.operate(&Request::ReplaceRoute(route));
    }

    /// Somebody deletes the route for a VIP from a table of the account.
    pub(super) fn delete_route(&mut self, table: usize, number: usize) {
        let table = self.world.account.tables[table].clone();
        self.delete(&table, &format!("{}/32", vip(number)));
    }

    /// Somebody deletes any route.
    pub(super) fn delete(&mut self, table: &str, destination: &str) {
        self.note(&format!("somebody deletes the route for {destination} in {table}"));
        let request = DeleteRoute {
            route_table_id: table.to_owned(),
            destination_cidr_block: Some(destination.to_owned()),
            ..DeleteRoute::default()
        };
        self.world.operate(&Request::DeleteRoute(request));
    }

    /// A new route in any table, to an interface.
    pub(super) fn create_route(&mut self, table: &str, destination: &str, interface: &str) {
        self.world.operate(&Request::CreateRoute(route(table, destination, interface)));
    }

    /// Where a route leads: an interface.
    pub(super) fn leads_to(&mut self, table: &str, destination: &str) -> Option<String> {
        let select = Select { ids: vec![table.to_owned()], ..Select::default() };
        let request = Request::DescribeRouteTables(select);
        let answer = self.world.ec2.operate(model(self.world.now), &request);
        let Ok(Response::DescribeRouteTables(page)) = answer else { return None };
        let mut routes = page.items.into_iter().flat_map(|table| table.routes);
        let route = routes.find(|r| r.destination_cidr_block.as_deref() == Some(destination));
        route?.network_interface_id
    }

    /// What came of the last launch, as people were told.
    pub(super) fn candidate(&self) -> Result<String, Wrong> {
        let name = |line: &String| {
            let name = line.strip_prefix("New instance ")?.strip_suffix(" launched")?;
            Some(name.to_owned())
        };
        self.told.iter().rev().find_map(name).ok_or(Wrong::Unmet("nothing was launched".into()))
    }

    /// Somebody terminates an instance.
    pub(super) fn terminate(&mut self, instance: &str) {
        self.note(&format!("somebody terminates {instance}"));
        let instance_ids = vec![instance.to_owned()];
        let request = TerminateInstances { instance_ids, ..TerminateInstances::default() };
        self.world.operate(&Request::TerminateInstances(request));
    }

    /// Somebody starts a stopped instance.
    pub(super) fn start(&mut self, instance: &str) {
        self.note(&format!("somebody starts {instance}"));
        let instance_ids = vec![instance.to_owned()];
        let request = StartInstances { instance_ids, ..StartInstances::default() };
        self.world.operate(&Request::StartInstances(request));
    }
}

/// The connection ends without an answer.
pub(super) fn lost() -> FaultEffect {
    FaultEffect::Lost
}
