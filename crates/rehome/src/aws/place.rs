//! Subnets together with their VPC, and a connection to one endpoint with one pair of keys: what
//! rendering user data asks for.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::config::Credentials;
use rehome_core::fault::CallError;
use rehome_core::names::{Az, SubnetId, VpcId};
use rehome_core::world::Subnet;

use super::calls::filter;
use super::client::{Aws, all_pages};
use super::{convert, http};

/// A page of `DescribeSubnets` (EC2 API reference: 5 to 1,000).
const SUBNETS_PAGE: i32 = 1_000;

/// Which subnets are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// This one.
    Subnet(&'a SubnetId),
    /// All of a zone.
    Zone(&'a Az),
}

impl Aws {
    /// The subnets that exist, each with its VPC.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn places(
        &self,
        wanted: Wanted<'_>,
    ) -> Result<Vec<(VpcId, Subnet)>, CallError> {
        // By filter, so that one that isn't there is an empty list and no error.
        let by = match wanted {
            Wanted::Subnet(id) => filter("subnet-id", [id]),
            Wanted::Zone(az) => filter("availability-zone", [az]),
        };
        let request = self.ec2.describe_subnets().filters(by).max_results(SUBNETS_PAGE);
        all_pages(
            "DescribeSubnets",
            move |token| request.clone().set_next_token(token).send(),
            |page| {
                let place = |subnet| {
                    let vpc = aws_sdk_ec2::types::Subnet::vpc_id(subnet)?.parse().ok()?;
                    Some((vpc, convert::subnet(subnet)?))
                };
                (page.subnets().iter().filter_map(place).collect(), page.next_token)
            },
        )
        .await
    }

    /// A connection to a lab of this machine, with the keys that it gives to operators. Nothing of
    /// the environment's is used: it may be that of a real account.
    pub(crate) async fn of_lab(endpoint: &str, region: &str, key_id: &str, secret: &str) -> Aws {
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(Credentials::new(key_id, secret, None, None, "lab"))
            .endpoint_url(endpoint)
            .http_client(http::direct())
            .load()
            .await;
        Aws::with(&shared, region.to_owned())
    }
}
