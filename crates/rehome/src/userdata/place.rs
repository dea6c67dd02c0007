//! Which subnet user data is rendered for.

use rehome_core::fault::CallError;
use rehome_core::names::{Az, InstanceId, VpcId};
use rehome_core::placement::{Site, sites};
use rehome_core::world::Subnet;

use super::RenderArgs;
use crate::aws::client::Aws;
use crate::aws::place::Wanted;
use crate::fail::{Failure, Problem, TEMPORARY};

/// A subnet with all that a template is told about it.
pub(super) struct Place {
    pub(super) site: Site,
    pub(super) vpc: VpcId,
    pub(super) region: String,
}

/// Asks EC2 for the subnet, or for the one subnet of the zone.
pub(super) async fn find(args: &RenderArgs) -> Result<Place, Failure> {
    let aws = Aws::connect()
        .await
        .map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint().to_owned()))))?;
    let region = aws.region().to_owned();
    let (vpc, site) = match (&args.subnet, &args.az, &args.instance_id) {
        (Some(subnet), _, _) => {
            let found = aws.places(Wanted::Subnet(subnet)).await.map_err(|error| unread(&error))?;
            let place = found.into_iter().next().ok_or_else(|| {
                let what = format!("there is no subnet {subnet} in {region}");
                Failure::wrong(Problem::new(what, "look for it: aws ec2 describe-subnets"))
            })?;
            (place.0, site(&place.1))
        }
        (None, Some(az), Some(holder)) => as_run_would(&aws, az, holder).await?,
        (None, Some(az), None) => {
            only(az, aws.places(Wanted::Zone(az)).await.map_err(|error| unread(&error))?)?
        }
        (None, None, _) => unreachable!("the command line asks for a subnet or a zone"),
    };
    Ok(Place { site, vpc, region })
}

fn unread(error: &CallError) -> Failure {
    let problem = |hint| Problem::new(format!("EC2 can't be read: {error}"), hint);
    if error.is_definite() {
        Failure::wrong(problem("check credentials, region and the permission to describe subnets"))
    } else {
        Failure::new(TEMPORARY, problem("try again; nothing was changed"))
    }
}

fn site(subnet: &Subnet) -> Site {
    Site { az: subnet.az.clone(), subnet: subnet.id.clone(), cidr: subnet.cidr }
}

/// The subnet of the zone that `run` would launch into.
async fn as_run_would(aws: &Aws, az: &Az, holder: &InstanceId) -> Result<(VpcId, Site), Failure> {
    let read = |error: CallError| unread(&error);
    let found = aws.instances_by_ids(std::slice::from_ref(holder)).await.map_err(read)?;
    let home = found.first().and_then(|one| Some((one.vpc.clone()?, one.subnet.clone()?)));
    let Some((vpc, home)) = home else {
        let what = format!("EC2 doesn't tell where {holder} is");
        return Err(Failure::wrong(Problem::new(what, "name the subnet with --subnet")));
    };
    let subnets = aws.subnets(&vpc).await.map_err(read)?;
    let zones = aws.zones().await.map_err(read)?;
    let tables = aws.tables(&vpc).await.map_err(read)?;
    let sites = sites(&home, &subnets, &zones, &tables, &[]);
    if let Some(site) = sites.order.into_iter().find(|site| site.az == *az) {
        return Ok((vpc, site));
    }
    let refused = sites.refused.into_iter().find(|refused| refused.az == *az);
    let why = refused.map_or_else(|| format!("{vpc} has no subnet there"), |refused| refused.why);
    let what = format!("{az} can't be used: {why}");
    Err(Failure::wrong(Problem::new(what, "name another --az, or the subnet with --subnet")))
}

/// Without a holder nothing decides between subnets, so there has to be exactly one.
fn only(az: &Az, found: Vec<(VpcId, Subnet)>) -> Result<(VpcId, Site), Failure> {
    let usable = |(_, subnet): &&(VpcId, Subnet)| subnet.outpost.is_none() && !subnet.ipv6_only;
    let fit: Vec<&(VpcId, Subnet)> = found.iter().filter(usable).collect();
    match fit.as_slice() {
        [] => {
            let what = format!("there is no subnet with IPv4 addresses in {az}");
            Err(Failure::wrong(Problem::new(what, "check the zone's name and the region")))
        }
        [(vpc, subnet)] => Ok((vpc.clone(), site(subnet))),
        several => {
            let names: Vec<String> =
                several.iter().map(|(vpc, subnet)| format!("{} ({vpc})", subnet.id)).collect();
            let what = format!("{az} has several subnets: {}", names.join(", "));
            let hint = "name one with --subnet, or the holder with --instance-id to take the one \
                        that `run` would";
            Err(Failure::wrong(Problem::new(what, hint)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, ipv6_only: bool) -> (VpcId, Subnet) {
        let subnet = Subnet {
            id: id.parse().unwrap(),
            az: "us-east-1b".parse().unwrap(),
            cidr: "172.31.32.0/20".parse().unwrap(),
            free_addresses: 0,
            outpost: None,
            ipv6_only,
            public_addresses: false,
            tags: std::collections::BTreeMap::new(),
        };
        ("vpc-00000001".parse().unwrap(), subnet)
    }

    #[test]
    fn the_only_usable_subnet_of_a_zone_is_taken_and_rivals_are_named() {
        let az: Az = "us-east-1b".parse().unwrap();
        let one = subnet("subnet-00000001", false);
        let taken = only(&az, vec![one.clone(), subnet("subnet-00000002", true)]).unwrap();
        assert_eq!(taken.1.subnet.as_str(), "subnet-00000001");
        let refused = only(&az, vec![one, subnet("subnet-00000003", false)]).unwrap_err();
        let problem = &refused.problems[0];
        assert!(problem.what.contains("subnet-00000001 (vpc-00000001), subnet-00000003"));
        assert!(problem.hint.as_ref().unwrap().contains("--subnet"));
        let none = only(&az, Vec::new()).unwrap_err();
        assert!(none.problems[0].what.contains("no subnet"), "{none:?}");
    }
}
