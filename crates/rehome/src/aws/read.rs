//! What is read once, before watching begins.

use aws_sdk_ec2::types as ec2;
use rehome_core::doctor::Protection;
use rehome_core::fault::CallError;
use rehome_core::names::{GroupId, ImageId, InstanceId, InstanceType, KeyName, VpcId};
use rehome_core::net::Cidr;
use rehome_core::world::{Caller, Group, Image, Instance, Subnet, Volume, Zone};

use super::calls::filter;
use super::client::{Aws, all_pages, send};
use super::convert;

/// A page of `DescribeSubnets` (EC2 API reference: 5 to 1,000).
const SUBNETS_PAGE: i32 = 1_000;

impl Aws {
    /// Who we are, by `sts:GetCallerIdentity`, which needs no permission.
    ///
    /// # Errors
    /// Where the credentials are refused, or nobody answers.
    pub(crate) async fn caller(&self) -> Result<Caller, CallError> {
        let output = send("GetCallerIdentity", self.sts.get_caller_identity().send()).await?;
        Ok(Caller {
            account: output.account().unwrap_or("unknown").to_owned(),
            arn: output.arn().unwrap_or("unknown").to_owned(),
        })
    }

    /// The instances with these ids; ones that EC2 doesn't know are absent.
    ///
    /// # Errors
    /// Where nothing can be said about any of them.
    pub(crate) async fn instances_by_ids(
        &self,
        ids: &[InstanceId],
    ) -> Result<Vec<Instance>, CallError> {
        self.instances(ids).await
    }

    /// The instances with this tag, of one VPC or of all, terminated ones included as far as they
    /// still tell.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn instances_by_tag(
        &self,
        vpc: Option<&VpcId>,
        key: &str,
        value: &str,
    ) -> Result<Vec<Instance>, CallError> {
        let mut filters = vec![filter(&format!("tag:{key}"), [value])];
        filters.extend(vpc.map(|vpc| filter("vpc-id", [vpc])));
        self.filtered_instances(filters).await
    }

    /// The IPv4 blocks of a VPC.
    ///
    /// # Errors
    /// Where the VPC isn't there, or nobody answers.
    pub(crate) async fn vpc_cidrs(&self, vpc: &VpcId) -> Result<Vec<Cidr>, CallError> {
        let request = self.ec2.describe_vpcs().vpc_ids(vpc.as_str());
        let output = send("DescribeVpcs", request.send()).await?;
        let mut cidrs: Vec<Cidr> =
            output.vpcs().iter().flat_map(blocks).filter_map(|text| text.parse().ok()).collect();
        cidrs.sort_unstable();
        cidrs.dedup();
        Ok(cidrs)
    }

    /// The subnets of a VPC that have IPv4 addresses.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn subnets(&self, vpc: &VpcId) -> Result<Vec<Subnet>, CallError> {
        let request =
            self.ec2.describe_subnets().filters(filter("vpc-id", [vpc])).max_results(SUBNETS_PAGE);
        all_pages(
            "DescribeSubnets",
            move |token| request.clone().set_next_token(token).send(),
            |page| {
                let subnets = page.subnets().iter().filter_map(convert::subnet).collect();
                (subnets, page.next_token)
            },
        )
        .await
    }

    /// The zones of the region that this account may use.
    ///
    /// # Errors
    /// Where the list can't be had.
    pub(crate) async fn zones(&self) -> Result<Vec<Zone>, CallError> {
        let request = self.ec2.describe_availability_zones();
        let output = send("DescribeAvailabilityZones", request.send()).await?;
        Ok(output.availability_zones().iter().filter_map(convert::zone).collect())
    }

    /// Those of `groups` that exist.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn groups(&self, groups: &[GroupId]) -> Result<Vec<Group>, CallError> {
        let found = self.security_groups(groups).await?;
        Ok(found.iter().filter_map(convert::group).collect())
    }

    /// Whether the key pair exists.
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn key_exists(&self, key: &KeyName) -> Result<bool, CallError> {
        // By name, not by filter: in a filter's value `*` and `?` stand for other characters.
        let request = self.ec2.describe_key_pairs().key_names(key.as_str());
        match send("DescribeKeyPairs", request.send()).await {
            Ok(output) => {
                Ok(output.key_pairs().iter().any(|pair| pair.key_name() == Some(key.as_str())))
            }
            Err(error) if is(&error, &["InvalidKeyPair.NotFound"]) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How a placement group places: `cluster`, `partition` or `spread`; nothing where it is gone.
    ///
    /// # Errors
    /// Where nobody answers.
    pub(crate) async fn placement_strategy(
        &self,
        group: &str,
    ) -> Result<Option<String>, CallError> {
        let by_name = filter("group-name", [group]);
        let request = self.ec2.describe_placement_groups().filters(by_name);
        let output = send("DescribePlacementGroups", request.send()).await?;
        let strategy = output.placement_groups().first().and_then(|group| group.strategy());
        Ok(strategy.map(|strategy| strategy.as_str().to_owned()))
    }

    /// The image, if this account can see it.
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn image(&self, image: &ImageId) -> Result<Option<Image>, CallError> {
        let request = self.ec2.describe_images().image_ids(image.as_str());
        match send("DescribeImages", request.send()).await {
            Ok(output) => Ok(output.images().iter().find_map(convert::image)),
            Err(error) if is(&error, &["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"]) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether instances of this type have disks in an instance store.
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn has_instance_store(&self, kind: &InstanceType) -> Result<bool, CallError> {
        let wanted = ec2::InstanceType::from(kind.as_str());
        let request = self.ec2.describe_instance_types().instance_types(wanted);
        let output = send("DescribeInstanceTypes", request.send()).await?;
        Ok(output.instance_types().iter().any(|of| of.instance_storage_supported() == Some(true)))
    }

    /// `one-time` or `persistent`; nothing of a spot request that is gone.
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn spot_kind(&self, request: &str) -> Result<Option<String>, CallError> {
        let by_id = filter("spot-instance-request-id", [request]);
        let request = self.ec2.describe_spot_instance_requests().filters(by_id);
        let output = send("DescribeSpotInstanceRequests", request.send()).await?;
        let kind = output.spot_instance_requests().first().and_then(|request| request.r#type());
        Ok(kind.map(|kind| kind.as_str().to_owned()))
    }

    /// Those of `volumes` that exist.
    ///
    /// # Errors
    /// Where the list can't be had, whole.
    pub(crate) async fn volumes(&self, volumes: &[String]) -> Result<Vec<Volume>, CallError> {
        if volumes.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.ec2.describe_volumes().filters(filter("volume-id", volumes));
        all_pages(
            "DescribeVolumes",
            move |token| request.clone().set_next_token(token).send(),
            |page| {
                let volumes = page.volumes().iter().filter_map(convert::volume).collect();
                (volumes, page.next_token)
            },
        )
        .await
    }

    /// The credit option of a burstable instance (`standard`, `unlimited`); none of others.
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn credits(&self, instance: &InstanceId) -> Result<Option<String>, CallError> {
        let request =
            self.ec2.describe_instance_credit_specifications().instance_ids(instance.as_str());
        match send("DescribeInstanceCreditSpecifications", request.send()).await {
            Ok(output) => Ok(output
                .instance_credit_specifications()
                .iter()
                .find(|of| of.instance_id() == Some(instance.as_str()))
                .and_then(|of| of.cpu_credits())
                .map(str::to_owned)),
            Err(error) if is(&error, &["InstanceCreditSpecification.NotSupported"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a shutdown from inside does to the instance: `stop` or `terminate`.
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn shutdown_behavior(
        &self,
        instance: &InstanceId,
    ) -> Result<Option<String>, CallError> {
        let request = self
            .ec2
            .describe_instance_attribute()
            .instance_id(instance.as_str())
            .attribute(ec2::InstanceAttributeName::InstanceInitiatedShutdownBehavior);
        let output = send("DescribeInstanceAttribute", request.send()).await?;
        let behavior = output.instance_initiated_shutdown_behavior();
        Ok(behavior.and_then(|behavior| behavior.value()).map(str::to_owned))
    }

    /// What EC2 keeps the instance from. One attribute a call (EC2 API reference,
    /// `DescribeInstanceAttribute`).
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn protection(&self, instance: &InstanceId) -> Result<Protection, CallError> {
        let request = self.ec2.describe_instance_attribute().instance_id(instance.as_str());
        let of = |name| request.clone().attribute(name).send();
        let stop = of(ec2::InstanceAttributeName::DisableApiStop);
        let stop = send("DescribeInstanceAttribute", stop).await?;
        let termination = of(ec2::InstanceAttributeName::DisableApiTermination);
        let termination = send("DescribeInstanceAttribute", termination).await?;
        let is_set = |value: Option<&ec2::AttributeBooleanValue>| {
            value.and_then(ec2::AttributeBooleanValue::value) == Some(true)
        };
        Ok(Protection {
            stop: is_set(stop.disable_api_stop()),
            termination: is_set(termination.disable_api_termination()),
        })
    }
}

/// The primary block, and the others that are or are becoming part of the VPC.
fn blocks(vpc: &ec2::Vpc) -> impl Iterator<Item = &str> {
    let others = vpc.cidr_block_association_set().iter().filter(|block| {
        !block.cidr_block_state().and_then(|state| state.state()).is_some_and(|state| {
            matches!(
                state,
                ec2::VpcCidrBlockStateCode::Disassociated
                    | ec2::VpcCidrBlockStateCode::Failed
                    | ec2::VpcCidrBlockStateCode::Failing
            )
        })
    });
    vpc.cidr_block().into_iter().chain(others.filter_map(|block| block.cidr_block()))
}

fn is(error: &CallError, codes: &[&str]) -> bool {
    match error {
        CallError::Refused { code, .. } => codes.contains(&code.as_str()),
        CallError::NoAnswer(_) | CallError::NotSent(_) => false,
    }
}
