//! What people do by hand.

use ec2_model::api::{
    ChangeRules, DeleteNetworkAclEntry, DeleteRoute, InstanceState,
    ModifyNetworkInterfaceAttribute, PutNetworkAclEntry, RebootInstances, Request, Response,
    Select, StartInstances, StopInstances, TerminateInstances,
};

use super::{Struck, Token};
use crate::account::{pings, vip};
use crate::aws::route;
use crate::fault::Kind;
use crate::time::{SEC, model};
use crate::world::{Ev, World};

/// The rule number of the entry that closes an ACL.
const CLOSED: i64 = 7;

impl World {
    /// A person's own call; what it is refused is refused.
    pub(crate) fn operate(&mut self, request: &Request) {
        if let Err(error) = self.ec2.operate(model(self.now), request) {
            self.trace.note(format_args!("a person's {} fails: {error}", request.action()));
        }
        self.refresh();
    }

    /// Who holds a VIP, as people would look it up.
    pub(crate) fn holder(&self, number: usize) -> String {
        match &self.disks[number].record {
            Some(record) => record.holder.instance.to_string(),
            None => self.account.holders[number].clone(),
        }
    }

    /// A holder that is still there.
    pub(super) fn some_holder(&mut self) -> Option<String> {
        let number = self.rng.index(self.plan.vips);
        let holder = self.holder(number);
        self.plane.instances.iter().any(|instance| instance.id == holder).then_some(holder)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other families have their own")]
    pub(super) fn strike_people(&mut self, kind: Kind, strength: u64) -> Struck {
        let Some(holder) = self.some_holder() else { return Struck::Missed };
        let ids = vec![holder.clone()];
        match kind {
            Kind::Stops => {
                let request = StopInstances { instance_ids: ids, ..StopInstances::default() };
                self.operate(&Request::StopInstances(request));
                // One that was off already tells of who put it off.
                let stopped = self.ec2.instance(&holder);
                let reason = stopped.and_then(|instance| instance.state_reason);
                if reason.is_some_and(|reason| reason.code == "Client.UserInitiatedShutdown") {
                    self.by_hand.push((holder, self.now));
                }
            }
            Kind::Terminates => {
                let request =
                    TerminateInstances { instance_ids: ids, ..TerminateInstances::default() };
                self.operate(&Request::TerminateInstances(request));
            }
            Kind::Reboots => {
                let request = RebootInstances { instance_ids: ids, ..RebootInstances::default() };
                self.operate(&Request::RebootInstances(request));
            }
            Kind::Starts => return self.start_something(),
            Kind::EndsCandidate => return self.end_something(),
            Kind::Steals => return self.steal(strength),
            Kind::Deletes => {
                let (table, destination) = self.some_route();
                let request = DeleteRoute {
                    route_table_id: table,
                    destination_cidr_block: Some(destination),
                    ..DeleteRoute::default()
                };
                self.operate(&Request::DeleteRoute(request));
            }
            Kind::CheckOn => {
                let Some(eni) = self.interface_of(&holder) else { return Struck::Missed };
                let request = ModifyNetworkInterfaceAttribute {
                    network_interface_id: eni,
                    source_dest_check: Some(true),
                    ..ModifyNetworkInterfaceAttribute::default()
                };
                self.operate(&Request::ModifyNetworkInterfaceAttribute(request));
            }
            Kind::GroupClosed => {
                let request = Request::RevokeSecurityGroupIngress(self.group_rules());
                self.operate(&request);
                self.closed_since.get_or_insert(self.now);
                return Struck::Lasting(Token::None);
            }
            Kind::AclClosed => return self.close_acl(strength),
            Kind::Pauses => {
                let process = self.rng.index(self.plan.vips);
                self.set_paused(process, true);
                return Struck::Lasting(Token::Process(process));
            }
            Kind::Protects => {
                self.set_protected(&holder, true);
                return Struck::Lasting(Token::Name(holder));
            }
            _ => return Struck::Missed,
        }
        Struck::Once
    }

    fn interface_of(&self, instance: &str) -> Option<String> {
        let found = self.plane.instances.iter().find(|one| one.id == *instance);
        found.map(|instance| instance.eni.clone())
    }

    fn start_something(&mut self) -> Struck {
        let off = self.plane.instances.iter().filter(|i| i.state == InstanceState::Stopped);
        let off: Vec<String> = off.map(|instance| instance.id.clone()).collect();
        let Some(id) = self.rng.pick(&off).cloned() else { return Struck::Missed };
        self.by_hand.retain(|(stopped, _)| *stopped != id);
        let request = StartInstances { instance_ids: vec![id], ..StartInstances::default() };
        self.operate(&Request::StartInstances(request));
        Struck::Once
    }

    /// An instance with a VIP's user data that isn't its holder.
    fn end_something(&mut self) -> Struck {
        let holders: Vec<String> = (0..self.plan.vips).map(|number| self.holder(number)).collect();
        let spare = |id: &String| {
            let there = self.plane.instances.iter().any(|instance| instance.id == *id);
            there && !holders.contains(id)
        };
        let guests = self.guests.iter().filter(|guest| guest.vip.is_some());
        let others: Vec<String> =
            guests.map(|guest| guest.id.clone()).filter(|id| spare(id)).collect();
        let Some(id) = self.rng.pick(&others).cloned() else { return Struck::Missed };
        let request =
            TerminateInstances { instance_ids: vec![id], ..TerminateInstances::default() };
        self.operate(&Request::TerminateInstances(request));
        Struck::Once
    }

    fn some_route(&mut self) -> (String, String) {
        let table = self.rng.index(self.account.tables.len());
        let number = self.rng.index(self.plan.vips);
        (self.account.tables[table].clone(), format!("{}/32", vip(number)))
    }

    fn steal(&mut self, strength: u64) -> Struck {
        let (table, destination) = self.some_route();
        let to = if strength == 0 { &self.account.stranger } else { &self.account.dead_end };
        let to = to.clone();
        self.operate(&Request::ReplaceRoute(route(&table, &destination, &to)));
        Struck::Lasting(Token::Route(table, destination, to))
    }

    /// The route goes back to whom rehome calls the holder, unless it was moved on.
    pub(super) fn put_back(&mut self, table: &str, destination: &str, to: &str) {
        let select = Select { ids: vec![table.to_owned()], ..Select::default() };
        let answer = self.ec2.operate(model(self.now), &Request::DescribeRouteTables(select));
        let Ok(Response::DescribeRouteTables(page)) = answer else { return };
        let routes = page.items.into_iter().flat_map(|table| table.routes);
        let mut ours = routes.filter(|r| r.destination_cidr_block.as_deref() == Some(destination));
        let target = ours.next().and_then(|route| route.network_interface_id);
        if target.as_deref() != Some(to) {
            return;
        }
        let number = (0..self.plan.vips).find(|n| format!("{}/32", vip(*n)) == *destination);
        let Some(holder) = number.map(|number| self.holder(number)) else { return };
        if let Some(eni) = self.interface_of(&holder) {
            self.operate(&Request::ReplaceRoute(route(table, destination, &eni)));
        }
    }

    fn group_rules(&self) -> ChangeRules {
        ChangeRules {
            group_id: Some(self.account.group.clone()),
            permissions: pings(),
            ..ChangeRules::default()
        }
    }

    pub(super) fn open_group(&mut self) {
        let request = Request::AuthorizeSecurityGroupIngress(self.group_rules());
        self.operate(&request);
    }

    /// All subnets share the VPC's default ACL.
    fn close_acl(&mut self, strength: u64) -> Struck {
        let request = Request::DescribeNetworkAcls(Select::default());
        let answer = self.ec2.operate(model(self.now), &request);
        let Ok(Response::DescribeNetworkAcls(page)) = answer else { return Struck::Missed };
        let Some(acl) = page.items.into_iter().next() else { return Struck::Missed };
        let request = PutNetworkAclEntry {
            network_acl_id: acl.network_acl_id.clone(),
            rule_number: Some(CLOSED),
            egress: Some(strength == 0),
            protocol: "1".to_owned(),
            rule_action: "deny".to_owned(),
            cidr_block: Some("0.0.0.0/0".to_owned()),
            icmp_type_code: Some((-1, -1)),
            ..PutNetworkAclEntry::default()
        };
        self.operate(&Request::CreateNetworkAclEntry(request));
        self.closed_since.get_or_insert(self.now);
        Struck::Lasting(Token::Name(acl.network_acl_id))
    }

    pub(super) fn open_acl(&mut self, acl: &str) {
        for egress in [true, false] {
            let request = DeleteNetworkAclEntry {
                network_acl_id: acl.to_owned(),
                rule_number: Some(CLOSED),
                egress: Some(egress),
                ..DeleteNetworkAclEntry::default()
            };
            let request = Request::DeleteNetworkAclEntry(request);
            // One of the two was never closed.
            let _ = self.ec2.operate(model(self.now), &request);
        }
        self.refresh();
    }

    /// A person points every route of a VIP to whom its usual controller calls the holder (where
    /// that one is gone, to where the monitor's route leads), and starts that controller again.
    pub(super) fn straighten(&mut self, number: usize) {
        let answers = self.reaches(0, None, vip(number));
        let answers = answers.map(|guest| self.guests[guest].id.clone());
        let there = answers.and_then(|id| self.interface_of(&id));
        let Some(eni) = self.interface_of(&self.holder(number)).or(there) else { return };
        self.trace.note(format_args!("a person straightens the routes of {}", vip(number)));
        let destination = format!("{}/32", vip(number));
        for table in self.account.tables.clone() {
            let route = route(&table, &destination, &eni);
            let there = self.plane.tables.iter().any(|plane| {
                let exact = |to: &ec2_model::PlaneRoute| to.destination.to_string() == destination;
                plane.id == table && plane.routes.iter().any(exact)
            });
            let request =
                if there { Request::ReplaceRoute(route) } else { Request::CreateRoute(route) };
            self.operate(&request);
        }
        if self.processes[number].controller.is_some() {
            self.crash(number, 0);
        }
    }

    /// People look after what is held: they mend what refused to start, lift a spent budget, take
    /// `--observe` back, and make an address answer that rehome has never heard.
    pub(crate) fn resume(&mut self) {
        for process in 0..self.plan.vips {
            let Some(controller) = &self.processes[process].controller else {
                if self.processes[process].refused.is_some() {
                    let start = self.start_event(process);
                    self.push(self.now, start);
                }
                continue;
            };
            let (unix, policy) = (self.unix(process), &self.plan.policy);
            let record = controller.record();
            let spent = record.moves_within(unix, 3_600) >= policy.moves_per_hour as usize
                || record.moves_within(unix, 86_400) >= policy.moves_per_day as usize;
            let unheard = record.heard_by.is_empty();
            if (spent || policy.observe) && !self.processes[process].resumed {
                self.processes[process].resumed = true;
                self.trace.note(format_args!("a person resumes process {process}"));
                self.crash(process, 0);
            } else if unheard {
                self.mend(process);
            }
        }
        self.push(self.now + 60 * SEC, Ev::Resume);
    }

    /// A person logs in to the holder and sets its address up.
    fn mend(&mut self, number: usize) {
        let (holder, now) = (self.holder(number), self.now);
        self.trace.note(format_args!("a person mends {holder}"));
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.id == holder) {
            guest.dead = false;
            guest.dies_at = u64::MAX;
            guest.vip_at = now;
        }
        self.refresh();
    }
}
