//! What a replacement is built from.
//!
//! The launch spec is read while the holder is healthy, because a terminated instance no longer
//! tells it. What is copied as read, what is rebuilt and what is never carried over follows the
//! table in `docs/launch-spec.md`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::names::{GroupId, ImageId, InstanceType, KeyName};
use crate::world::{Image, Instance, Volume};

/// How the metadata service answers (EC2 API reference, `InstanceMetadataOptionsRequest`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// `required` or `optional`.
    pub http_tokens: Option<String>,
    /// How many hops an answer may travel.
    pub hop_limit: Option<i32>,
    /// `enabled` or `disabled`.
    pub http_endpoint: Option<String>,
    /// `enabled` or `disabled`.
    pub http_protocol_ipv6: Option<String>,
    /// Whether tags are shown: `enabled` or `disabled`.
    pub instance_tags: Option<String>,
}

/// Cores and threads, where they differ from the type's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuOptions {
    /// Cores.
    pub cores: i32,
    /// Threads for each core.
    pub threads_per_core: i32,
}

/// One EBS volume of the replacement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// The device name of the image's mapping.
    pub device: String,
    /// Gibibytes.
    pub size_gib: i32,
    /// `gp3`, `io2`, ...
    pub kind: String,
    /// Provisioned operations a second.
    pub iops: Option<i32>,
    /// Provisioned MiB/s.
    pub throughput: Option<i32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its key's ARN.
    pub kms_key: Option<String>,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
}

/// All that is needed to build a replacement, apart from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// The image.
    pub image: ImageId,
    /// The type.
    pub instance_type: InstanceType,
    /// The key pair; may be none.
    pub key: Option<KeyName>,
    /// Security groups of the primary interface.
    pub groups: Vec<GroupId>,
    /// The instance profile's ARN.
    pub profile: Option<String>,
    /// EBS-optimised.
    pub ebs_optimized: bool,
    /// Detailed monitoring.
    pub monitoring: bool,
    /// The metadata service.
    pub metadata: Option<MetadataOptions>,
    /// Cores and threads.
    pub cpu: Option<CpuOptions>,
    /// `standard` or `unlimited`, of burstable types.
    pub credits: Option<String>,
    /// `stop` or `terminate`: what a shutdown from inside does.
    pub shutdown_behavior: Option<String>,
    /// Dedicated tenancy.
    pub dedicated: bool,
    /// A partition or spread placement group.
    pub placement_group: Option<String>,
    /// The partition in it.
    pub partition: Option<i32>,
    /// The volumes of the image's mapping.
    pub devices: Vec<BlockDevice>,
    /// How many IPv6 addresses the primary interface gets.
    pub ipv6_addresses: usize,
    /// Whether it gets a public IPv4 address lent by Amazon.
    pub public_address: bool,
    /// The holder's own tags, at most [`TAGS_MAX`] together with ours.
    pub tags: BTreeMap<String, String>,
}

/// Tags an instance may have (EC2 user guide, "Tag restrictions").
pub const TAGS_MAX: usize = 50;

/// Tags that rehome sets itself: `rehome:vip`, `-generation`, `-attempt`, `-replaces`.
pub const TAGS_OURS: usize = 4;

/// What begins every tag key of ours.
pub const TAG_PREFIX: &str = "rehome:";

/// What the command line says about a replacement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    /// `--security-group`, repeated; empty: the holder's.
    pub groups: Vec<GroupId>,
    /// `--keypair`; none: the holder's.
    pub key: Option<KeyName>,
    /// `--image`; none: the holder's.
    pub image: Option<ImageId>,
    /// `--instance-type`; none: the holder's.
    pub instance_type: Option<InstanceType>,
}

/// What is read, beside the holder itself, to build its spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The holder's image, or the one wished for.
    pub image: Option<Image>,
    /// The holder's volumes.
    pub volumes: Vec<Volume>,
    /// `DescribeInstanceCreditSpecifications`.
    pub credits: Option<String>,
    /// `DescribeInstanceAttribute` `instanceInitiatedShutdownBehavior`.
    pub shutdown_behavior: Option<String>,
    /// How the holder's placement group places, by `DescribePlacementGroups`.
    pub placement_strategy: Option<String>,
    /// Whether the holder's type has an instance store, by `DescribeInstanceTypes`: its disks are
    /// listed nowhere else.
    pub instance_store: bool,
    /// `one-time` or `persistent`, by `DescribeSpotInstanceRequests`, where the holder came from a
    /// spot request that can still be read.
    pub spot_kind: Option<String>,
}

impl Parts {
    /// Whether the holder's placement group can take an instance in another AZ. A cluster lies in
    /// one AZ (EC2 user guide, "Placement strategies"); of a group that can't be read nothing is
    /// assumed.
    #[must_use]
    pub fn group_spans_zones(&self) -> bool {
        matches!(self.placement_strategy.as_deref(), Some("partition" | "spread"))
    }
}

/// Why no spec can be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{instance} no longer tells its {missing}")]
pub struct SpecError {
    /// The holder.
    pub instance: String,
    /// What can't be read.
    pub missing: &'static str,
}

impl LaunchSpec {
    /// The spec of a replacement for `holder`, with the command line's wishes applied.
    ///
    /// # Errors
    /// Where the holder doesn't tell its image, type or groups (it is terminated).
    pub fn of(holder: &Instance, parts: &Parts, wishes: &Wishes) -> Result<LaunchSpec, SpecError> {
        let missing = |missing| SpecError { instance: holder.id.to_string(), missing };
        let primary = holder.primary_interface();
        let image = wishes.image.clone().or_else(|| holder.image.clone());
        let instance_type = wishes.instance_type.clone().or_else(|| holder.instance_type.clone());
        let groups = if wishes.groups.is_empty() {
            primary.map(|interface| interface.groups.clone()).unwrap_or_default()
        } else {
            wishes.groups.clone()
        };
        if groups.is_empty() {
            return Err(missing("security groups"));
        }
        // A type of one's own choosing has cores and credits of its own.
        let same_type = wishes.instance_type.is_none();
        Ok(LaunchSpec {
            image: image.ok_or_else(|| missing("image"))?,
            instance_type: instance_type.ok_or_else(|| missing("instance type"))?,
            key: wishes.key.clone().or_else(|| holder.key.clone()),
            groups,
            profile: holder.profile.clone(),
            ebs_optimized: holder.ebs_optimized,
            monitoring: holder.monitoring,
            metadata: holder.metadata.clone(),
            cpu: holder.cpu.clone().filter(|_| same_type),
            credits: parts.credits.clone().filter(|_| same_type),
            shutdown_behavior: parts.shutdown_behavior.clone(),
            dedicated: holder.placement.tenancy.as_deref() == Some("dedicated"),
            placement_group: holder.placement.group.clone().filter(|_| parts.group_spans_zones()),
            partition: holder.placement.partition.filter(|_| parts.group_spans_zones()),
            devices: devices(holder, parts),
            ipv6_addresses: primary.map_or(0, |interface| interface.ipv6_addresses),
            public_address: primary
                .and_then(|interface| interface.public.as_ref())
                .is_some_and(|public| !public.elastic),
            tags: carried_tags(holder),
        })
    }

    /// The spec after `holder` was changed while it ran: what people change on a live instance
    /// follows, what only a launch decides stays.
    #[must_use]
    pub fn refreshed(&self, holder: &Instance, wishes: &Wishes) -> LaunchSpec {
        let primary = holder.primary_interface();
        let groups = primary.map(|interface| interface.groups.clone());
        LaunchSpec {
            groups: groups
                .filter(|groups| wishes.groups.is_empty() && !groups.is_empty())
                .unwrap_or_else(|| self.groups.clone()),
            profile: holder.profile.clone(),
            monitoring: holder.monitoring,
            metadata: holder.metadata.clone().or_else(|| self.metadata.clone()),
            tags: carried_tags(holder),
            ..self.clone()
        }
    }

    /// What a replacement would not have, in words for the people who start rehome.
    #[must_use]
    pub fn losses(&self, holder: &Instance) -> Vec<String> {
        let mut losses = alloc::vec![format!(
            "boots image {}; nothing written to {}'s disks comes along",
            self.image, holder.id
        )];
        if let Some(request) = &holder.spot_request {
            losses.push(format!("is on demand and costs more; {request} is spot"));
        }
        losses
    }
}

/// The image's own volumes, in the size and kind that the holder's have now.
fn devices(holder: &Instance, parts: &Parts) -> Vec<BlockDevice> {
    let Some(image) = &parts.image else { return Vec::new() };
    let volume_at = |device: &str| {
        let id = &holder.volumes.iter().find(|attached| attached.device == device)?.volume;
        parts.volumes.iter().find(|volume| volume.id == *id)
    };
    image
        .devices
        .iter()
        .filter_map(|of_image| {
            let volume = volume_at(&of_image.device)?;
            Some(BlockDevice {
                device: of_image.device.clone(),
                size_gib: volume.size_gib,
                kind: volume.kind.clone(),
                iops: volume.iops,
                throughput: volume.throughput,
                encrypted: volume.encrypted,
                kms_key: volume.kms_key.clone(),
                delete_on_termination: of_image.delete_on_termination,
            })
        })
        .collect()
}

/// The holder's tags without AWS's and ours; where metadata shows tags, also without keys that EC2
/// refuses there (blanks and slashes: EC2 user guide, "Instance tags in instance metadata").
fn carried_tags(holder: &Instance) -> BTreeMap<String, String> {
    let shown = holder
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.instance_tags.as_deref() == Some("enabled"));
    holder
        .tags
        .iter()
        .filter(|(key, _)| !key.starts_with("aws:") && !key.starts_with(TAG_PREFIX))
        .filter(|(key, _)| !shown || !key.contains([' ', '/']))
        .take(TAGS_MAX - TAGS_OURS)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
