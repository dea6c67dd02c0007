//! What commands do to a running lab.

use std::os::fd::OwnedFd;

use anyhow::{Context, bail};
use ec2_model::api::{RebootInstances, Request as Call, StopInstances, TerminateInstances};
use ec2_model::{ArrangeError, Arrangement, Check};

use super::plane::{self, Wanted};
use super::{Answer, Lab};
use crate::control::{Break, Exec, FaultCommand, Reply, Request, Side};
use crate::guest::ExecSpec;
use crate::machine::{self, Machine, Stage};
use crate::topology::REGION;

impl Lab {
    /// Does what a command asks.
    pub(super) fn answer(&mut self, request: Request, streams: Vec<OwnedFd>) -> Answer {
        let reply = match request {
            Request::Status => self.status().map(|status| Reply::Status(Box::new(status))),
            Request::Env => {
                let (endpoint, region) = (self.endpoint.clone(), REGION.to_owned());
                Ok(Reply::Env { endpoint, region })
            }
            Request::Exec(exec) => match self.exec(exec, streams) {
                Ok(answer) => return answer,
                Err(error) => Err(error),
            },
            Request::Break { target, how } => self.damage(&target, how).map(Reply::Done),
            Request::Heal { target } => self.heal(&target).map(Reply::Done),
            Request::Fault(command) => Ok(self.fault(command)),
            Request::Arrange { what, undo } => self.arrange(what, undo),
            Request::Down => Ok(Reply::Done("the lab ends".into())),
        };
        Answer::Reply(reply.unwrap_or_else(|error| Reply::Refused(format!("{error:#}"))))
    }

    fn wanted(&self) -> Wanted {
        self.world.with(|ec2, now| plane::wanted(&ec2.plane(now)))
    }

    /// The ids of the instances that `target` means, and whether it names a zone.
    fn find(&self, target: &str) -> anyhow::Result<(Vec<String>, bool)> {
        let wanted = self.wanted();
        let found = wanted.find(target);
        let is_zone = found.iter().any(|i| i.az == target) || self.zones().contains(target);
        if found.is_empty() && !is_zone {
            let mut known: Vec<String> = wanted.instances.iter().map(|i| i.label()).collect();
            known.extend(self.zones());
            bail!(
                "no instance or Availability Zone is named {target:?}\nhint: there are {}",
                known.join(", ")
            );
        }
        if found.len() > 1 && !is_zone {
            let ids: Vec<&str> = found.iter().map(|i| i.id.as_str()).collect();
            bail!("{target} names several instances\nhint: say which: {}", ids.join(", "));
        }
        Ok((found.iter().map(|instance| instance.id.clone()).collect(), is_zone))
    }

    fn zones(&self) -> std::collections::BTreeSet<String> {
        self.world.plane().subnets.into_iter().map(|subnet| subnet.az).collect()
    }

    fn exec(&mut self, exec: Exec, streams: Vec<OwnedFd>) -> anyhow::Result<Answer> {
        let Ok(streams) = <[OwnedFd; 3]>::try_from(streams) else {
            bail!("the client sent no standard streams");
        };
        let name = &exec.instance;
        let (ids, is_zone) = self.find(name)?;
        let [id] = &ids[..] else { bail!("{name} is not one instance") };
        if is_zone {
            bail!("{name} is an Availability Zone, not an instance");
        }
        if self.ailments.get(id).is_some_and(|ailment| ailment.hung) {
            bail!("{name} hangs\nhint: rehome lab heal {name}");
        }
        let machine = self.machines.get(id).filter(|machine| machine.stage == Stage::Up);
        let init = machine.and_then(|machine| machine.init);
        let init = init.with_context(|| format!("nothing runs on {name} now"))?;
        let process = machine::exec(
            &ExecSpec {
                init: init.as_raw(),
                argv: exec.argv,
                environment: exec.environment,
                folder: exec.folder,
            },
            streams,
        )?;
        Ok(Answer::Running { process, ended: self.wait_for(process) })
    }

    /// Breaks an instance, or every instance of a zone.
    fn damage(&mut self, target: &str, how: Break) -> anyhow::Result<String> {
        let (ids, is_zone) = self.find(target)?;
        if is_zone && how == Break::Impair {
            self.world.with(|ec2, now| ec2.impair_zone(now, target));
        }
        for id in &ids {
            self.damage_one(id, how).with_context(|| format!("could not break {id}"))?;
        }
        let many = if ids.len() == 1 { "instance" } else { "instances" };
        Ok(format!("{}: {} {many} of {target}", word(how), ids.len()))
    }

    fn damage_one(&mut self, id: &str, how: Break) -> anyhow::Result<()> {
        let instance_ids = vec![id.to_owned()];
        let call = |lab: &Lab, call: Call| -> anyhow::Result<()> {
            lab.world.with(|ec2, now| ec2.operate(now, &call)).map(drop)?;
            Ok(())
        };
        match how {
            Break::Crash => {
                self.running(id)?.kill();
                let ailment = self.ailments.entry(id.to_owned()).or_default();
                *ailment = super::Ailment { crashed: true, ..super::Ailment::default() };
            }
            Break::Hang => {
                self.running(id)?.freeze(true)?;
                self.ailments.entry(id.to_owned()).or_default().hung = true;
            }
            Break::Network => {
                self.running(id)?;
                self.ailments.entry(id.to_owned()).or_default().cut = true;
            }
            Break::Loss { percent, side } => {
                self.running(id)?;
                let loss = &mut self.ailments.entry(id.to_owned()).or_default().loss;
                if side != Side::To {
                    loss.from = percent;
                }
                if side != Side::From {
                    loss.to = percent;
                }
            }
            Break::LoseIp => {
                let wanted = self.wanted();
                let primary = wanted.find(id).first().map(|instance| instance.address);
                let primary = primary.context("it has no address")?;
                let lost = self.running(id)?.take_addresses(primary)?;
                self.ailments.entry(id.to_owned()).or_default().lost.extend(lost);
            }
            Break::Reboot => call(
                self,
                Call::RebootInstances(RebootInstances { instance_ids, ..Default::default() }),
            )?,
            Break::Stop => call(
                self,
                Call::StopInstances(StopInstances { instance_ids, ..Default::default() }),
            )?,
            Break::Terminate => call(
                self,
                Call::TerminateInstances(TerminateInstances { instance_ids, ..Default::default() }),
            )?,
            Break::Impair => {
                self.world.with(|ec2, now| ec2.impair_instance(now, id, Check::System));
            }
        }
        Ok(())
    }

    /// The machine of an instance, if anything runs on it.
    fn running(&mut self, id: &str) -> anyhow::Result<&mut Machine> {
        let machine = self.machines.get_mut(id).filter(|machine| machine.stage == Stage::Up);
        machine.context("nothing runs on it now")
    }

    /// Undoes what was broken.
    fn heal(&mut self, target: &str) -> anyhow::Result<String> {
        let (ids, is_zone) = self.find(target)?;
        if is_zone {
            self.world.with(|ec2, now| ec2.heal(now, target));
        }
        for id in &ids {
            self.heal_one(id).with_context(|| format!("could not heal {id}"))?;
        }
        Ok(format!("healed: {target}"))
    }

    fn heal_one(&mut self, id: &str) -> anyhow::Result<()> {
        self.world.with(|ec2, now| ec2.heal(now, id));
        let ailment = self.ailments.remove(id).unwrap_or_default();
        let Some(machine) = self.machines.get_mut(id) else { return Ok(()) };
        if machine.stage == Stage::Dead {
            // Without a machine the next comparison with the model starts one, on the same disk.
            self.machines.remove(id);
            return Ok(());
        }
        if ailment.hung {
            machine.freeze(false)?;
        }
        machine.give_addresses(&ailment.lost)
    }

    /// Leaves the account as somebody else may have left it.
    fn arrange(&mut self, mut what: Arrangement, undo: bool) -> anyhow::Result<Reply> {
        if let Arrangement::ElasticIp { instance } | Arrangement::Managed { instance } = &mut what {
            let (ids, _) = self.find(instance)?;
            let [id] = &ids[..] else { bail!("{instance} is not one instance") };
            instance.clone_from(id);
        }
        match self.world.with(|ec2, now| ec2.arrange(now, &what, undo)) {
            Ok(Some(made)) => Ok(Reply::Lines(vec![made])),
            Ok(None) => Ok(Reply::Done(if undo { "undone" } else { "arranged" }.to_owned())),
            Err(error @ ArrangeError::Setup(_)) => {
                bail!("{error}\nhint: `rehome lab status` and the AWS CLI show what there is")
            }
            Err(error @ ArrangeError::Stays(_)) => {
                bail!("{error}\nhint: it ends with the lab")
            }
            Err(error @ ArrangeError::Refused(_)) => Err(error.into()),
        }
    }

    fn fault(&mut self, command: FaultCommand) -> Reply {
        match command {
            FaultCommand::Add(fault) => {
                let number = self.world.with(|ec2, _now| ec2.add_fault(fault));
                Reply::Done(format!("fault {number} added"))
            }
            FaultCommand::List => Reply::Lines(self.world.with(|ec2, _now| {
                ec2.faults().map(|(number, fault)| fault_line(number, fault)).collect()
            })),
            FaultCommand::Clear => {
                self.world.with(|ec2, _now| ec2.clear_faults());
                Reply::Done("no faults any more".into())
            }
        }
    }
}

/// A fault as `lab fault list` shows it.
fn fault_line(number: u64, fault: &ec2_model::Fault) -> String {
    use ec2_model::FaultEffect;
    let effect = match &fault.effect {
        FaultEffect::Error { code, message: _ } => format!("error {code}"),
        FaultEffect::Latency(ms) => format!("latency {ms}ms"),
        FaultEffect::Deny => "denied".into(),
        FaultEffect::Lost => "answer lost".into(),
    };
    let mut line = format!("{number}  {}  {effect}", fault.action);
    for (word, value) in [("az", &fault.zone), ("type", &fault.instance_type)] {
        if let Some(value) = value {
            line.push_str(&format!("  {word} {value}"));
        }
    }
    if let Some(times) = fault.times {
        line.push_str(&format!("  {times} more"));
    }
    line
}

fn word(how: Break) -> String {
    let word = match how {
        Break::Loss { percent, side } => {
            let what = match side {
                Side::From => "what it sends",
                Side::To => "what is sent to it",
                Side::Both => "its packets",
            };
            return format!("losing {percent} % of {what}");
        }
        Break::Crash => "crashed",
        Break::Hang => "hung",
        Break::Reboot => "rebooting",
        Break::Network => "cut off",
        Break::LoseIp => "overlay addresses taken",
        Break::Stop => "stopping",
        Break::Terminate => "terminating",
        Break::Impair => "impaired",
    };
    word.to_owned()
}
