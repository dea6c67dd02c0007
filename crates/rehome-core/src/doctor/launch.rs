//! What a replacement is made of, and where it would go.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::case::{Case, read};
use super::permissions::{Tried, tried};
use super::{Judged, Judgment, Trial, Verdict};
use crate::call::{Call, Launch};
use crate::names::Az;
use crate::preflight::{no_other_zone, wrong_groups, wrong_image, wrong_key, wrong_subnets};
use crate::verdict::list;

/// So few free addresses can be gone at the moment they are needed.
const FREE_ADDRESSES_FEW: u32 = 4;

pub(super) fn groups(case: &Case<'_>) -> Judgment {
    read("DescribeSecurityGroups", &case.facts.groups)?;
    let wrong = wrong_groups(case.order, &case.snapshot);
    if !wrong.is_empty() {
        return Ok(wrong.iter().map(Judged::from).collect());
    }
    let wishes = &case.order.wishes.groups;
    Ok(alloc::vec![Judged::ok(format!("{} of the holder's VPC", list(wishes.iter())))])
}

pub(super) fn key(case: &Case<'_>) -> Judgment {
    let exists = *read("DescribeKeyPairs", &case.facts.key_exists)?;
    if let Some(refusal) = wrong_key(case.order, &case.snapshot) {
        return Ok(alloc::vec![(&refusal).into()]);
    }
    Ok(alloc::vec![match &case.begun()?.record.spec.key {
        Some(key) if exists => Judged::ok(format!("{key} exists")),
        Some(key) => Judged::failure(
            format!("the holder's key pair {key} no longer exists, so a launch with it fails"),
            "name another with --keypair",
        ),
        None => Judged::ok("replacements get none, as the holder has none"),
    }])
}

pub(super) fn image(case: &Case<'_>) -> Judgment {
    let image = read("DescribeImages", &case.facts.image)?;
    if let Some(refusal) = wrong_image(case.order, &case.snapshot) {
        return Ok(alloc::vec![(&refusal).into()]);
    }
    let wanted = &case.begun()?.record.spec.image;
    let usable = image.as_ref().is_some_and(|found| found.id == *wanted && found.available);
    Ok(alloc::vec![if usable {
        Judged::ok(format!("{wanted} is available"))
    } else {
        Judged::failure(
            format!("{wanted} does not exist or is not available: no replacement can boot from it"),
            "name another with --image",
        )
    }])
}

/// Subnets with free addresses, in the other zones above all.
pub(super) fn subnets(case: &Case<'_>) -> Judgment {
    let subnets = read("DescribeSubnets", &case.facts.subnets)?;
    read("DescribeAvailabilityZones", &case.facts.zones)?;
    read("DescribeRouteTables", &case.facts.tables)?;
    let begun = case.begun()?;
    let mut judged: Vec<Judged> =
        wrong_subnets(case.order, &case.snapshot).iter().map(Judged::from).collect();
    judged.extend(no_other_zone(&begun.record.holder, &begun.sites).as_ref().map(Judged::from));
    for site in &begun.sites.order {
        let free = subnets.iter().find(|subnet| subnet.id == site.subnet);
        let free = free.map_or(0, |subnet| subnet.free_addresses);
        let evidence = format!("{}: {} has {free} free addresses", site.az, site.subnet);
        judged.push(if free <= FREE_ADDRESSES_FEW {
            Judged::warning(evidence, "free some, or name a roomier subnet with --subnet")
        } else {
            Judged::ok(evidence)
        });
    }
    let refused = begun.sites.refused.iter().map(|zone| {
        let fix = format!(
            "create a subnet in {} that routes like the holder's, or name one with \
                           --subnet",
            zone.az
        );
        Judged::warning(format!("{} can't take a replacement: {}", zone.az, zone.why), fix)
    });
    judged.extend(refused);
    Ok(judged)
}

/// Zones that don't have the type. EC2 says so only there: a launch elsewhere works.
pub(super) fn offered(case: &Case<'_>) -> Judgment {
    let offered = read("DescribeInstanceTypeOfferings", &case.facts.offered)?;
    read("DescribeSubnets", &case.facts.subnets)?;
    let begun = case.begun()?;
    let wanted = &begun.record.spec.instance_type;
    let (yes, no): (Vec<_>, Vec<_>) =
        begun.sites.order.iter().partition(|site| offered.contains(&site.az));
    let other = |site: &&crate::placement::Site| site.az != begun.record.holder.az;
    let fix = "name one that every zone offers with --instance-type; `aws ec2 \
               describe-instance-type-offerings --location-type availability-zone` lists them";
    let (yes_in, no_in) = (list(yes.iter().map(|s| &s.az)), list(no.iter().map(|s| &s.az)));
    Ok(alloc::vec![if yes.iter().copied().filter(other).count() == 0 {
        Judged::failure(format!("no other zone offers {wanted} (not in: {no_in})"), fix)
    } else if no.is_empty() {
        Judged::ok(format!("{wanted} is offered in {yes_in}"))
    } else {
        Judged::warning(format!("{wanted} is offered in {yes_in}, but not in {no_in}"), fix)
    }])
}

pub(super) fn user_data(case: &Case<'_>) -> Judgment {
    if case.facts.user_data.is_empty() {
        case.begun()?;
        return Err("there is no subnet to render it for".into());
    }
    let mut judged: Vec<Judged> = Vec::new();
    for of_site in &case.facts.user_data {
        let one = match &of_site.rendered {
            Ok(rendered) => Judged::ok(format!(
                "{}: {} bytes for {}",
                of_site.az, rendered.bytes, of_site.subnet
            )),
            Err(refusal) => refusal.into(),
        };
        // What is wrong with a template is mostly wrong in every zone.
        if !judged.contains(&one) {
            judged.push(one);
        }
    }
    Ok(judged)
}

/// The very launches of a move, tried.
pub(super) fn trials(case: &Case<'_>) -> Judgment {
    let begun = case.begun()?;
    if case.facts.observing {
        return Ok(alloc::vec![Judged::ok("nothing is launched with --observe")]);
    }
    let tries: Vec<(&Launch, &Trial)> = case
        .facts
        .trials
        .iter()
        .filter_map(|trial| {
            let Call::Launch(launch) = &trial.call else { return None };
            Some((launch.as_ref(), trial))
        })
        .collect();
    if tries.is_empty() {
        return Err("there was no launch to try: see `subnets` and `user-data`".into());
    }
    let home = &begun.record.holder.az;
    let works = |(launch, trial): &&(&Launch, &Trial)| {
        launch.az != *home && matches!(tried(trial), Tried::Allowed(_))
    };
    let elsewhere = tries.iter().find(works).map(|(launch, _)| &launch.az);
    Ok(folded(&tries)
        .into_iter()
        .map(|(answer, launches)| said(case, answer, &launches, elsewhere))
        .collect())
}

/// The launches that were answered alike, together: what is wrong with an image or a key pair is
/// wrong in every zone.
fn folded<'t>(tries: &[(&'t Launch, &Trial)]) -> Vec<(Tried, Vec<&'t Launch>)> {
    let mut folded: Vec<(Tried, Vec<&Launch>)> = Vec::new();
    for (launch, trial) in tries {
        let answer = tried(trial);
        let alike = folded.iter_mut().find(|(known, _)| match known {
            // Each zone that works is a line of its own.
            Tried::Allowed(_) => false,
            Tried::Denied { .. } | Tried::Refused(_) | Tried::Unknown(_) => *known == answer,
        });
        match alike {
            Some((_, launches)) => launches.push(launch),
            None => folded.push((answer, alloc::vec![launch])),
        }
    }
    folded
}

fn said(case: &Case<'_>, answer: Tried, launches: &[&Launch], elsewhere: Option<&Az>) -> Judged {
    let place = |launch: &&Launch| format!("{} ({})", launch.az, launch.subnet);
    let places = list(launches.iter().map(place));
    // All are of one spec.
    let spec = launches
        .first()
        .map(|launch| format!("{} of {}", launch.spec.instance_type, launch.spec.image));
    let what = format!("{} in {places}", spec.unwrap_or_default());
    match (answer, elsewhere) {
        (Tried::Allowed(_), _) => Judged::ok(format!("EC2 would launch {what}")),
        (Tried::Denied { permission, message }, _) => Judged::failure(
            format!("EC2 would refuse {what}: {message}"),
            format!("allow {permission} (docs/permissions.md)"),
        ),
        (Tried::Unknown(why), _) => Judged::unknown(format!("{what}: {why}")),
        (Tried::Refused(why), Some(az)) => Judged::warning(
            format!("EC2 would refuse {what}: {why}"),
            format!("nothing, if {az} is enough; else see `subnets` and `instance-type`"),
        ),
        (Tried::Refused(why), None) => {
            let hint = hint(case, &why);
            Judged::failure(format!("EC2 would refuse {what}: {why}"), hint)
        }
    }
}

/// What a launch is made of, and the codes with which EC2 says that it isn't there (EC2 developer
/// guide, "Error codes for the Amazon EC2 API").
const PARTS: [(&str, Part, &[&str]); 5] = [
    ("security-group", groups, &["InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"]),
    ("key-pair", key, &["InvalidKeyPair.NotFound"]),
    ("image", image, &["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"]),
    ("instance-type", offered, &["Unsupported", "InvalidInstanceType"]),
    ("subnets", subnets, &["InvalidSubnetID.NotFound", "InsufficientFreeAddressesInSubnet"]),
];

/// The check of a part of a launch.
type Part = fn(&Case<'_>) -> Judgment;

/// The check that explains a refusal: the one that its code is about; for codes that are about
/// anything, such as `InvalidParameterValue`, those that have found something.
fn hint(case: &Case<'_>, why: &str) -> String {
    let code = why.split(':').next().unwrap_or_default();
    let fails = |judge: &Part| {
        let failure = |one: &Judged| one.verdict == Verdict::Failure;
        judge(case).is_ok_and(|judged| judged.iter().any(failure))
    };
    let by_code = PARTS.iter().filter(|(_, _, codes)| codes.contains(&code));
    let mut checks: Vec<&str> = by_code.map(|(check, ..)| *check).collect();
    if checks.is_empty() {
        let failing = PARTS.iter().filter(|(_, judge, _)| fails(judge));
        checks.extend(failing.map(|(check, ..)| *check));
    }
    if checks.is_empty() {
        return format!("look {code} up in \"Error codes for the Amazon EC2 API\"");
    }
    format!("see {}", list(checks.iter().map(|check| format!("`{check}`"))))
}
