//! Who has the address now.

use alloc::format;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::case::{Case, Missing, read};
use super::{Judged, Judgment};
use crate::preflight::holder::{losses, refused};
use crate::world::{Instance, InstanceState};

pub(super) fn holder(case: &Case<'_>) -> Judgment {
    let begun = match case.beginning() {
        Ok(begun) => begun,
        Err(Missing::Refused(refusal)) => return Ok(alloc::vec![refusal.into()]),
        Err(Missing::Unread(why)) => return Err(why.clone()),
    };
    let home = &begun.record.holder;
    let place = format!("{} ({}, {}) in {}", home.instance, home.address, home.interface, home.az);
    let mut judged: Vec<Judged> = begun.notes.iter().map(|note| Judged::ok(note.clone())).collect();
    judged.push(match case.holder() {
        Ok(instance) => state(&place, instance),
        Err(why) => Judged::failure(
            format!("{place}: {why}"),
            "start `rehome run`: it moves the address by what the state file remembers",
        ),
    });
    Ok(judged)
}

fn state(place: &str, instance: &Instance) -> Judged {
    let id = &instance.id;
    let evidence = format!("{place} is {}", instance.state);
    match &instance.state {
        InstanceState::Running => Judged::ok(evidence),
        InstanceState::Pending => {
            Judged::warning(evidence, format!("aws ec2 wait instance-running --instance-ids {id}"))
        }
        InstanceState::Stopping | InstanceState::Stopped => Judged::failure(
            format!("{evidence}: `run` would move the address at once"),
            format!("aws ec2 start-instances --instance-ids {id}"),
        ),
        InstanceState::ShuttingDown | InstanceState::Terminated => Judged::failure(
            format!("{evidence}: `run` would move the address at once, if it remembers how"),
            "name another holder with --instance-id",
        ),
        InstanceState::Other(_) => Judged::unknown(evidence),
    }
}

/// What a replacement would not carry, and holders that rehome may not replace at all.
pub(super) fn replaceable(case: &Case<'_>) -> Judgment {
    let begun = case.begun()?;
    let instance = case.holder()?;
    read("DescribeImages", &case.facts.image)?;
    read("what else describes the holder", &case.facts.parts)?;
    let mut judged: Vec<Judged> =
        refused(case.order, &begun.record, &case.snapshot).iter().map(Judged::from).collect();
    let accepted = losses(instance, &case.snapshot)
        .into_iter()
        .filter(|(loss, _)| case.order.accepted.contains(loss));
    judged.extend(accepted.map(|(loss, what)| {
        Judged::warning(
            format!("a replacement would not have {what} of {}", instance.id),
            format!("nothing, while --accept-loss {} is meant", loss.word()),
        )
    }));
    let lost = begun.record.spec.losses(instance).into_iter();
    judged.extend(lost.map(|loss| Judged::ok(format!("a replacement {loss}"))));
    Ok(judged)
}

pub(super) fn source_dest_check(case: &Case<'_>) -> Judgment {
    let instance = case.holder()?;
    let interface = &case.begun()?.record.holder.interface;
    let check = instance.interface(interface).and_then(|found| found.source_dest_check);
    Ok(alloc::vec![match check {
        Some(false) => Judged::ok(format!("off on {interface}")),
        Some(true) => Judged::warning(
            format!(
                "on, on {interface}: EC2 drops what is sent to {} there, until `run` switches it \
                 off at its start",
                case.order.vip
            ),
            command(interface),
        ),
        None => Judged::unknown(format!("EC2 doesn't say whether it is on, on {interface}")),
    }])
}

/// The command that switches the check off.
pub(super) fn command(interface: &crate::names::InterfaceId) -> alloc::string::String {
    format!(
        "aws ec2 modify-network-interface-attribute --network-interface-id {interface} \
         --no-source-dest-check"
    )
}

/// A monitor that goes down together with the holder moves nothing.
pub(super) fn shared_zone(case: &Case<'_>) -> Judgment {
    let az = &case.begun()?.record.holder.az;
    let Some((monitor, _)) = case.monitor() else {
        return Ok(alloc::vec![Judged::ok("rehome doesn't run in the holder's VPC")]);
    };
    Ok(alloc::vec![match &monitor.az {
        Some(own) if own == az => Judged::warning(
            format!("this machine ({}) and the holder are both in {az}", monitor.id),
            "run rehome in another Availability Zone: what takes the holder's down takes it too",
        ),
        Some(own) => Judged::ok(format!("this machine is in {own}, the holder in {az}")),
        None => Judged::unknown(format!("EC2 doesn't say in which zone {} is", monitor.id)),
    }])
}

/// Whether the address answers now: until it has once, `run` moves nothing.
pub(super) fn answers(case: &Case<'_>) -> Judgment {
    let vip = case.order.vip.address;
    let witness = |target: &Ipv4Addr| case.order.controls.contains(target);
    let judged = case.facts.pings.iter().filter(|ping| !witness(&ping.target)).map(|ping| {
        let way = match ping.source {
            Some(source) => format!("{} from {source}", ping.target),
            None => format!("{}", ping.target),
        };
        match &ping.heard {
            Ok(true) => Judged::ok(format!("{way}: answers")),
            Ok(false) if ping.target == vip => Judged::failure(
                format!("{way}: silent"),
                "see `ingress`, `network-acl`, `route-set`, `way-back`; then log in to the holder: \
                 `ip address show`, `ip rule`, `systemctl status`",
            ),
            Ok(false) => Judged::warning(
                format!("{way}: silent, so a lost address can't be told from a lost holder"),
                "see `ingress` and `network-acl`",
            ),
            Err(why) => Judged::unknown(format!("{way}: {why}")),
        }
    });
    let judged: Vec<Judged> = judged.collect();
    if judged.is_empty() { Err("no probe could be sent".into()) } else { Ok(judged) }
}
