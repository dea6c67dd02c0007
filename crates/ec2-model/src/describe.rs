//! The reads: from what is known to what EC2 tells of it.
//!
//! Each Describe makes the list of what it would tell, as of the moment its replica knows, and
//! hands it to [`crate::filter::list`] with the caller's filters and page.

mod account;
mod groups;
mod held;
mod instances;
mod interfaces;
mod network;
mod storage;

use crate::{
    api::{Request, Response, Select},
    ec2::{Ec2, Lag},
    error::ApiError,
    filter::{Listed, list},
    ids::Kind,
    time::Time,
};

impl Ec2 {
    pub(crate) fn describe(&mut self, request: &Request) -> Result<Response, ApiError> {
        if let Request::DescribeInstances(r) = request {
            self.describe_instances(r)
        } else if let Request::DescribeInstanceStatus(r) = request {
            self.describe_instance_status(r)
        } else if let Request::DescribeInstanceCreditSpecifications(r) = request {
            self.describe_credit_specifications(r)
        } else if let Request::DescribeInstanceAttribute(r) = request {
            self.describe_instance_attribute(r)
        } else if let Request::DescribeNetworkInterfaces(r) = request {
            self.describe_interfaces(r)
        } else if let Request::DescribeRouteTables(r) = request {
            self.describe_route_tables(r)
        } else if let Request::DescribeVpcs(r) = request {
            self.describe_vpcs(r)
        } else if let Request::DescribeSubnets(r) = request {
            self.describe_subnets(r)
        } else if let Request::DescribeSecurityGroups(r) = request {
            self.describe_groups(r)
        } else if let Request::DescribeSecurityGroupRules(r) = request {
            self.describe_group_rules(r)
        } else if let Request::DescribeNetworkAcls(r) = request {
            self.describe_acls(r)
        } else if let Request::DescribeVolumes(r) = request {
            self.describe_volumes(r)
        } else if let Request::DescribeImages(r) = request {
            self.describe_images(r)
        } else if let Request::DescribeKeyPairs(r) = request {
            self.describe_key_pairs(r)
        } else if let Request::DescribeAvailabilityZones(r) = request {
            self.describe_zones(r)
        } else if let Request::DescribeInstanceTypeOfferings(r) = request {
            self.describe_offerings(r)
        } else if let Request::DescribeInstanceTypes(r) = request {
            self.describe_types(r)
        } else if let Request::DescribeTags(r) = request {
            self.describe_tags(r)
        } else if let Request::DescribeAddresses(r) = request {
            self.describe_addresses(r)
        } else if let Request::DescribeSpotInstanceRequests(r) = request {
            self.describe_spot_requests(r)
        } else {
            Err(ApiError::invalid_action(request.action()))
        }
    }

    /// The moment that this read's replica is at.
    fn read_moment(&mut self, lag: Lag) -> Time {
        let stale = lag.ms > 0 && self.generator.below(100) < u64::from(lag.percent);
        if stale { Time(self.now.0.saturating_sub(lag.ms)) } else { self.now }
    }

    /// When a zone is in trouble, calls fail that name its instances by id, or none at all (EC2
    /// API, `DescribeInstances`, `DescribeInstanceStatus`, and
    /// `DescribeInstanceCreditSpecifications`). The page gives no code; taken as a server's.
    fn check_zones(&self, ids: &[String]) -> Result<(), ApiError> {
        let failing = &self.knobs.failing_zones;
        let zone_of = |id: &String| self.world.instances.get(id).map(|i| i.zone.as_str());
        let hit = if ids.is_empty() {
            !failing.is_empty()
        } else {
            ids.iter().filter_map(zone_of).any(|zone| failing.contains(zone))
        };
        if hit { Err(ApiError::of_code("InternalError")) } else { Ok(()) }
    }
}

/// The items of these ids (all of them if none are given); an unknown id refuses the call.
fn select_ids<T: Listed>(
    items: Vec<T>,
    ids: &[String],
    kind: Kind,
    id_of: impl Fn(&T) -> &str,
) -> Result<Vec<T>, ApiError> {
    if ids.is_empty() {
        return Ok(items);
    }
    for id in ids {
        kind.check(id)?;
    }
    let known = |id: &&str| items.iter().any(|item| id_of(item) == *id);
    let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !known(id)).collect();
    if !unknown.is_empty() {
        return Err(kind.not_found(&unknown));
    }
    Ok(items.into_iter().filter(|item| ids.iter().any(|id| id == id_of(item))).collect())
}

/// [`select_ids`], then filters and page.
fn tell<T: Listed>(
    items: Vec<T>,
    select: &Select,
    kind: Kind,
    id_of: impl Fn(&T) -> &str,
) -> Result<crate::api::Page<T>, ApiError> {
    list(select_ids(items, &select.ids, kind, id_of)?, select)
}

/// A page of everything, for actions that don't page.
fn unpaged(select: &Select) -> Select {
    Select { max_results: None, next_token: None, ids: Vec::new(), ..select.clone() }
}
