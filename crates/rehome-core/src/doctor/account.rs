//! Region, credentials, clock.

use alloc::format;

use super::case::{Case, read};
use super::{Credentials, Judged, Judgment};
use crate::fault::{CallError, ErrorClass};

/// AWS refuses requests signed more than five minutes off ("Error codes for the Amazon EC2 API":
/// `RequestExpired` and its like; five minutes is the shortest limit there).
const SKEW_MAX_S: u64 = 300;

/// A clock that is kept is never this far off; one that isn't drifts on.
const SKEW_DOUBTFUL_S: u64 = 30;

pub(super) fn region(case: &Case<'_>) -> Judgment {
    let region = match &case.facts.region {
        Ok(region) => region,
        Err(refusal) => return Ok(alloc::vec![refusal.into()]),
    };
    let evidence = format!("{} at {}", region.name, region.endpoint);
    Ok(alloc::vec![match &region.own {
        Some(own) if *own != region.name => Judged::warning(
            format!("{evidence}; this machine is in {own}"),
            format!("export AWS_DEFAULT_REGION={own}, if the holder is there"),
        ),
        Some(_) | None => Judged::ok(evidence),
    }])
}

pub(super) fn credentials(case: &Case<'_>) -> Judgment {
    let fix = "attach an instance profile to this machine, or name a profile with AWS_PROFILE";
    match &case.facts.credentials {
        Credentials::Found => {}
        Credentials::Missing(why) => return Ok(alloc::vec![Judged::failure(why.clone(), fix)]),
        Credentials::Unknown(why) => return Err(why.clone()),
    }
    Ok(alloc::vec![match &case.facts.caller {
        Ok(caller) => Judged::ok(format!("account {} as {}", caller.account, caller.arn)),
        Err(error @ CallError::Refused { .. }) if error.class() == ErrorClass::Credentials => {
            Judged::failure(
                format!("AWS refuses the credentials: {error}"),
                "`aws sts get-caller-identity` has to work; renew them, and check the clock",
            )
        }
        Err(_) => {
            read("GetCallerIdentity", &case.facts.caller)?;
            return Ok(alloc::vec![]);
        }
    }])
}

pub(super) fn clock(case: &Case<'_>) -> Judgment {
    let ahead = *read("the time", &case.facts.clock_ahead)?;
    let off = ahead.unsigned_abs();
    let evidence = match ahead {
        0 => "this machine's clock agrees with AWS's to the second".into(),
        ..0 => format!("this machine's clock is {off} s behind AWS's"),
        1.. => format!("this machine's clock is {off} s ahead of AWS's"),
    };
    let fix = "keep it by NTP: `chronyc makestep`; EC2's own server is 169.254.169.123";
    Ok(alloc::vec![if off >= SKEW_MAX_S {
        Judged::failure(format!("{evidence}, and AWS refuses requests 300 s off"), fix)
    } else if off >= SKEW_DOUBTFUL_S {
        Judged::warning(evidence, fix)
    } else {
        Judged::ok(evidence)
    }])
}
