//! The lab's instances and its router: brought to what the model wants.

use std::collections::BTreeSet;
use std::time::Duration;

use ec2_model::{Guest, Time};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::plane::{self, Wanted};
use super::{Event, Lab, complain};
use crate::guest::{FromGuest, REBOOT_CODE};
use crate::machine::{self, Machine, Stage};
use crate::router::filter::{self, Guard};
use crate::router::{self, kernel};
use crate::topology;

/// How long to wait after the kernel refused a change of the router.
const RETRY: Duration = Duration::from_millis(100);
/// How long the processes of instances may take to be gone at the end.
const END_LIMIT: Duration = Duration::from_secs(2);

impl Lab {
    /// Brings instances and router to what the model wants. When to look again at the latest.
    pub(super) fn reconcile(&mut self) -> Option<Instant> {
        let (wanted, now) = self.world.with(|ec2, now| (plane::wanted(&ec2.plane(now)), now));
        self.drop_the_gone(&wanted);
        for instance in &wanted.instances {
            let running = self.machines.get(&instance.id).map(|machine| machine.boots);
            let on = instance.powered && instance.boot_at <= now;
            if running.is_some_and(|boots| !instance.powered || boots < instance.boots) {
                self.switch_off(&instance.id);
            }
            if on && !self.machines.contains_key(&instance.id) {
                self.switch_on(instance);
            }
        }
        self.tell_model();
        let routed = self.route(&wanted);
        let boot = wanted.next_boot(now).map(|at| Instant::now() + until(now, at));
        match routed {
            Ok(()) => boot,
            Err(error) => {
                complain(&format!("the router could not be changed: {error:#}"));
                self.applied = None;
                let retry = Instant::now() + RETRY;
                Some(boot.map_or(retry, |boot| boot.min(retry)))
            }
        }
    }

    /// Instances that EC2 no longer has lose their disks too.
    fn drop_the_gone(&mut self, wanted: &Wanted) {
        let there = |id: &String| wanted.instances.iter().any(|instance| instance.id == *id);
        let known = self.machines.keys().chain(self.told.keys());
        let gone: BTreeSet<String> = known.filter(|id| !there(id)).cloned().collect();
        for id in gone {
            self.switch_off(&id);
            self.told.remove(&id);
            if let Err(error) = machine::drop_disk(&id) {
                complain(&format!("the disk of {id} stays: {error}"));
            }
        }
    }

    fn switch_off(&mut self, id: &str) {
        if let Some(mut machine) = self.machines.remove(id) {
            machine.kill();
        }
        // Whatever was broken, it isn't any more once the power was off.
        self.ailments.remove(id);
    }

    fn switch_on(&mut self, instance: &plane::Instance) {
        let serial = self.serial;
        self.serial += 1;
        let spec = instance.boot_spec();
        let started = Machine::start(serial, instance.boots, &spec)
            .and_then(|(machine, socket)| Ok((machine, machine::into_async(socket)?)));
        match started {
            Ok((machine, socket)) => {
                self.told.remove(&instance.id);
                self.machines.insert(instance.id.clone(), machine);
                let events = self.events.clone();
                tokio::spawn(hear_instance(instance.id.clone(), serial, socket, events));
            }
            Err(error) => complain(&format!("{} could not be started: {error:#}", instance.id)),
        }
    }

    /// Tells the model of every instance whether it is reachable, where that is news.
    fn tell_model(&mut self) {
        for (id, machine) in &self.machines {
            let ailment = self.ailments.get(id);
            let cut = ailment.is_some_and(super::Ailment::is_silent);
            let guest = match machine.stage {
                Stage::Starting | Stage::Wired => continue,
                Stage::Up if !cut => Guest::Reachable,
                Stage::Up | Stage::Dead => Guest::Unreachable,
            };
            if self.told.insert(id.clone(), guest) != Some(guest) {
                self.world.with(|ec2, now| ec2.report(now, id, guest));
            }
        }
    }

    /// Brings the router and its filter to what the model and the machines ask for.
    fn route(&mut self, wanted: &Wanted) -> anyhow::Result<()> {
        let ports = wanted.ports(&self.machines);
        self.numbers.assign(&wanted.tables);
        let want = router::wanted(&ports, &wanted.tables, &self.numbers);
        if self.applied.as_ref() != Some(&want) {
            self.applied = None;
            kernel::ip(&router::changes(&kernel::read()?, &want))?;
            self.applied = Some(want);
        }
        let filter = filter::filter(&self.guards(wanted), &wanted.acls);
        if filter != self.filter {
            kernel::nft(&filter)?;
            self.filter = filter;
        }
        Ok(())
    }

    /// The wires that exist now, as the filter sees them.
    fn guards(&self, wanted: &Wanted) -> Vec<Guard> {
        let mut guards = wanted.guards(&self.machines);
        for (id, guard) in &mut guards {
            if let Some(ailment) = self.ailments.get(id) {
                guard.cut = ailment.cut || ailment.hung;
                guard.loss = ailment.loss;
            }
        }
        guards.into_values().collect()
    }

    /// Acts on what an instance says.
    pub(super) fn listen(&mut self, id: &str, serial: u64, what: FromGuest) {
        let wanted = self.world.with(|ec2, now| plane::wanted(&ec2.plane(now)));
        let instance = wanted.instances.iter().find(|instance| instance.id == id);
        let machine = self.machines.get_mut(id).filter(|machine| machine.serial == serial);
        let (Some(instance), Some(machine)) = (instance, machine) else { return };
        match what {
            FromGuest::Unshared => {
                let gateway = instance.gateway;
                let wired = machine.wire(&instance.mac, instance.address, gateway);
                let ready = wired.and_then(|()| self.route(&wanted));
                let machine = self.machines.get_mut(id).expect("it was there above");
                if let Err(error) = ready.and_then(|()| Ok(machine.go_on()?)) {
                    complain(&format!("{id} has no network: {error:#}"));
                    machine.kill();
                }
            }
            FromGuest::Init(process) => machine.init = Some(Pid::from_raw(process)),
            FromGuest::Up => machine.stage = Stage::Up,
            FromGuest::Booted(code) => machine.booted = Some(code),
            FromGuest::Failed(why) => {
                complain(&format!("{id} could not boot: {why}"));
                machine.kill();
            }
        }
    }

    /// An instance's socket has ended, so nothing of it runs any more.
    pub(super) fn lose(&mut self, id: &str, serial: u64) {
        if let Some(machine) = self.machines.get_mut(id).filter(|m| m.serial == serial) {
            machine.unplug();
        }
    }

    /// Takes the exit codes of processes that have ended.
    pub(super) fn reap(&mut self) {
        loop {
            let (process, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(process, code)) => (process, code),
                Ok(WaitStatus::Signaled(process, signal, _)) => (process, 128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_stopped) => continue,
            };
            if let Some(waiting) = self.waiting.remove(&process) {
                let _gone = waiting.send(code);
            }
            let owner = self.machines.iter().find(|(_, m)| m.init == Some(process));
            if let Some(id) = owner.map(|(id, _)| id.clone()) {
                self.bury(&id, code);
            }
        }
    }

    /// An instance's PID 1 has ended with `code`.
    fn bury(&mut self, id: &str, code: i32) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        machine.unplug();
        match code {
            0 => {
                self.told.insert(id.to_owned(), Guest::PoweredOff);
                self.machines.remove(id);
                self.world.with(|ec2, now| ec2.report(now, id, Guest::PoweredOff));
            }
            REBOOT_CODE => {
                self.machines.remove(id);
                self.ailments.remove(id);
            }
            _panic => {}
        }
    }

    /// Pings the VIP from the monitor once both have booted; who waits gets ping's exit code.
    pub(super) fn ping_vip(&mut self) -> Option<oneshot::Receiver<i32>> {
        let wanted = self.world.with(|ec2, now| plane::wanted(&ec2.plane(now)));
        let booted = |name: &str| {
            let id = &wanted.instances.iter().find(|i| i.name == name)?.id;
            self.machines.get(id).filter(|machine| machine.booted.is_some())
        };
        booted(topology::HOLDER_NAME)?;
        let process = booted(topology::MONITOR_NAME)?.ping(topology::VIP).ok()?;
        Some(self.wait_for(process))
    }

    pub(super) fn wait_for(&mut self, process: Pid) -> oneshot::Receiver<i32> {
        let (ended, waiting) = oneshot::channel();
        self.waiting.insert(process, ended);
        waiting
    }

    /// Kills every instance and waits until its processes are gone.
    pub(super) async fn end(&mut self) {
        for machine in self.machines.values_mut() {
            machine.kill();
        }
        let deadline = Instant::now() + END_LIMIT;
        while Instant::now() < deadline {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(_no_children) => return,
                Ok(WaitStatus::StillAlive) => tokio::time::sleep(Duration::from_millis(2)).await,
                Ok(_reaped) => {}
            }
        }
    }
}

fn until(now: Time, at: Time) -> Duration {
    Duration::from_millis(at.since(now))
}

/// Hands on what one start of an instance says, until it hangs up.
async fn hear_instance(
    instance: String,
    serial: u64,
    socket: tokio::net::UnixStream,
    events: mpsc::Sender<Event>,
) {
    let mut lines = BufReader::new(socket).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(what) = serde_json::from_str(&line) else { break };
        let said = Event::Said { instance: instance.clone(), serial, what };
        if events.send(said).await.is_err() {
            return;
        }
    }
    let _ended = events.send(Event::HungUp { instance, serial }).await;
}
