//! Token buckets: how EC2 throttles an account.
//!
//! Figures: "Request throttling for the Amazon EC2 API" (EC2 Developer Guide). Every API action
//! has its own bucket per account and region; `RunInstances`, `StartInstances`, `StopInstances`
//! and `TerminateInstances` have a second one that counts instances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{api::Request, time::Time};

/// How many tokens a bucket holds, and how many come back each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    burst: u64,
    refill: u64,
}

/// One token in the unit in which levels are kept, so that a percentage of a refill per
/// millisecond is a whole number.
const TOKEN: u64 = 100_000;

const fn rate(burst: u64, refill: u64) -> Rate {
    Rate { burst, refill }
}

/// The bucket that counts requests: its name and rate. STS is another service.
fn request_rate(request: &Request) -> Option<(&'static str, Rate)> {
    let action = request.action();
    let whole = |select: &crate::api::Select, small: &'static str| {
        // "Unfiltered and unpaginated" calls draw from a smaller bucket; ids aren't filters.
        if select.filters.is_empty() && select.max_results.is_none() && select.next_token.is_none()
        {
            (small, rate(50, 10))
        } else {
            (action, rate(100, 20))
        }
    };
    Some(match request {
        Request::DescribeInstances(r) => whole(r, "DescribeInstances unfiltered"),
        Request::DescribeInstanceStatus(r) => whole(&r.select, "DescribeInstanceStatus unfiltered"),
        Request::DescribeNetworkInterfaces(r) => whole(r, "DescribeNetworkInterfaces unfiltered"),
        Request::DescribeVolumes(r) => whole(r, "DescribeVolumes unfiltered"),
        Request::DescribeSecurityGroups(r) => whole(&r.select, "DescribeSecurityGroups unfiltered"),
        Request::DescribeAvailabilityZones(_)
        | Request::DescribeVpcs(_)
        | Request::DescribeSubnets(_)
        | Request::DescribeRouteTables(_)
        | Request::DescribeImages(_)
        | Request::DescribeKeyPairs(_)
        | Request::DescribeSecurityGroupRules(_)
        | Request::DescribeNetworkAcls(_)
        | Request::DescribeInstanceAttribute(_)
        | Request::DescribeInstanceCreditSpecifications(_)
        | Request::DescribeInstanceTypeOfferings(_)
        | Request::DescribeInstanceTypes(_)
        | Request::DescribeTags(_)
        | Request::DescribeAddresses(_)
        | Request::DescribeSpotInstanceRequests(_) => (action, rate(100, 20)),
        Request::RunInstances(_) | Request::StartInstances(_) => (action, rate(5, 2)),
        Request::TerminateInstances(_) | Request::ModifyNetworkInterfaceAttribute(_) => {
            (action, rate(100, 5))
        }
        Request::CreateTags(_) | Request::DeleteTags(_) => (action, rate(100, 10)),
        Request::StopInstances(_)
        | Request::RebootInstances(_)
        | Request::ModifyInstanceAttribute(_)
        | Request::CreateRoute(_)
        | Request::ReplaceRoute(_)
        | Request::DeleteRoute(_)
        | Request::CreateSecurityGroup(_)
        | Request::DeleteSecurityGroup(_)
        | Request::CreateNetworkAcl(_)
        | Request::DeleteNetworkAcl(_)
        | Request::CreateNetworkAclEntry(_)
        | Request::ReplaceNetworkAclEntry(_)
        | Request::DeleteNetworkAclEntry(_)
        | Request::ReplaceNetworkAclAssociation(_)
        | Request::AuthorizeSecurityGroupIngress(_)
        | Request::AuthorizeSecurityGroupEgress(_)
        | Request::RevokeSecurityGroupIngress(_)
        | Request::RevokeSecurityGroupEgress(_) => (action, rate(50, 5)),
        // Of other services, with limits of their own.
        Request::GetCallerIdentity | Request::GetInstanceProfile(_) => return None,
    })
}

/// The bucket that counts instances: its name, rate, and how many tokens the call takes.
fn resource_rate(request: &Request) -> Option<(&'static str, Rate, u64)> {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    if let Request::RunInstances(r) = request {
        let n = u64::try_from(r.max_count.unwrap_or(1)).unwrap_or(0);
        Some(("RunInstances resources", rate(1000, 2), n))
    } else if let Request::StartInstances(r) = request {
        Some(("StartInstances resources", rate(1000, 2), count(r.instance_ids.len())))
    } else if let Request::StopInstances(r) = request {
        Some(("StopInstances resources", rate(1000, 20), count(r.instance_ids.len())))
    } else if let Request::TerminateInstances(r) = request {
        Some(("TerminateInstances resources", rate(1000, 20), count(r.instance_ids.len())))
    } else {
        None
    }
}

/// The account's buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Buckets {
    /// Full buckets aren't kept.
    levels: BTreeMap<String, Level>,
    /// What somebody else in the account uses up of every bucket, 0 to 100.
    pub(crate) neighbor_percent: u8,
    /// Off: nothing is throttled.
    pub(crate) enabled: bool,
}

/// A bucket that isn't full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Level {
    units: u64,
    at: Time,
}

impl Buckets {
    pub(crate) fn new() -> Buckets {
        Buckets { levels: BTreeMap::new(), neighbor_percent: 0, enabled: true }
    }

    /// Takes the tokens of one call; `false` means `RequestLimitExceeded`.
    pub(crate) fn admit(&mut self, now: Time, request: &Request) -> bool {
        if !self.enabled {
            return true;
        }
        let Some((name, rate)) = request_rate(request) else { return true };
        if !self.take(now, name, rate, 1) {
            return false;
        }
        match resource_rate(request) {
            Some((name, rate, tokens)) => self.take(now, name, rate, tokens),
            None => true,
        }
    }

    fn take(&mut self, now: Time, name: &str, rate: Rate, tokens: u64) -> bool {
        let share = 100 - u64::from(self.neighbor_percent.min(100));
        let full = rate.burst * share * (TOKEN / 100);
        let per_ms = rate.refill * share * (TOKEN / 100) / 1000;
        let known = self.levels.get_mut(name);
        let level = known.as_deref().copied().unwrap_or(Level { units: full, at: now });
        let units = full.min(level.units + per_ms.saturating_mul(now.since(level.at)));
        let left = units.checked_sub(tokens.saturating_mul(TOKEN));
        let after = Level { units: left.unwrap_or(units), at: now };
        match known {
            Some(level) => *level = after,
            None => drop(self.levels.insert(name.to_owned(), after)),
        }
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{RouteSpec, RunInstances, Select};

    fn burst(buckets: &mut Buckets, now: Time, request: &Request) -> u32 {
        (0..1000).take_while(|_| buckets.admit(now, request)).count() as u32
    }

    #[test]
    fn buckets_hold_and_refill_what_aws_publishes() {
        let filtered = Select { max_results: Some(100), ..Select::default() };
        let run = RunInstances { max_count: Some(1), ..RunInstances::default() };
        for (request, full, in_a_second) in [
            (Request::DescribeRouteTables(Select::default()), 100, 20),
            (Request::DescribeInstances(Select::default()), 50, 10),
            (Request::DescribeInstances(filtered), 100, 20),
            (Request::ReplaceRoute(RouteSpec::default()), 50, 5),
            (Request::RunInstances(Box::new(run)), 5, 2),
        ] {
            let mut buckets = Buckets::new();
            assert_eq!(burst(&mut buckets, Time(7), &request), full, "{}", request.action());
            assert_eq!(burst(&mut buckets, Time(1007), &request), in_a_second);
        }
    }

    #[test]
    fn the_resource_bucket_limits_too() {
        let run = RunInstances { max_count: Some(600), ..RunInstances::default() };
        let run = Request::RunInstances(Box::new(run));
        assert_eq!(burst(&mut Buckets::new(), Time(0), &run), 1);
    }

    #[test]
    fn a_noisy_neighbor_takes_a_share() {
        let request = Request::ReplaceRoute(RouteSpec::default());
        for (percent, left) in [(0, 50), (90, 5), (100, 0)] {
            let mut buckets = Buckets::new();
            buckets.neighbor_percent = percent;
            assert_eq!(burst(&mut buckets, Time(0), &request), left);
        }
    }
}
