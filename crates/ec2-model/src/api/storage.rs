//! Volumes, images and key pairs, as EC2 shows them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

use super::Tag;

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// `volumeId`.
    pub volume_id: String,
    /// `size`, GiB.
    pub size: i64,
    /// `snapshotId`; empty without one.
    pub snapshot_id: String,
    /// `availabilityZone`.
    pub availability_zone: String,
    /// `status`: `in-use`, `available`, ...
    pub state: String,
    /// `createTime`.
    pub create_time: Timestamp,
    /// `attachmentSet`.
    pub attachments: Vec<VolumeAttachment>,
    /// `tagSet`.
    pub tags: Vec<Tag>,
    /// `volumeType`.
    pub volume_type: String,
    /// `iops`.
    pub iops: Option<i64>,
    /// `throughput`.
    pub throughput: Option<i64>,
    /// `encrypted`.
    pub encrypted: bool,
    /// `kmsKeyId`.
    pub kms_key_id: Option<String>,
    /// `multiAttachEnabled`.
    pub multi_attach_enabled: bool,
}

/// How a volume hangs on an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeAttachment {
    /// `volumeId`.
    pub volume_id: String,
    /// `instanceId`.
    pub instance_id: String,
    /// `device`.
    pub device: String,
    /// `status`: `attached`.
    pub state: String,
    /// `attachTime`.
    pub attach_time: Timestamp,
    /// `deleteOnTermination`.
    pub delete_on_termination: bool,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `imageId`.
    pub image_id: String,
    /// `imageLocation`.
    pub image_location: String,
    /// `imageState`: `available`, `pending`, `deregistered`.
    pub state: String,
    /// `imageOwnerId`.
    pub owner_id: String,
    /// `imageOwnerAlias`: `amazon`.
    pub owner_alias: Option<String>,
    /// `isPublic`.
    pub public: bool,
    /// `architecture`.
    pub architecture: String,
    /// `imageType`.
    pub image_type: String,
    /// `name`.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `rootDeviceType`: `ebs` or `instance-store`.
    pub root_device_type: String,
    /// `rootDeviceName`.
    pub root_device_name: String,
    /// `blockDeviceMapping`.
    pub block_device_mappings: Vec<BlockDevice>,
    /// `virtualizationType`.
    pub virtualization_type: String,
    /// `hypervisor`.
    pub hypervisor: String,
    /// `enaSupport`.
    pub ena_support: bool,
    /// `sriovNetSupport`.
    pub sriov_net_support: Option<String>,
    /// `bootMode`.
    pub boot_mode: Option<String>,
    /// `imdsSupport`: `v2.0` makes tokens required.
    pub imds_support: Option<String>,
    /// `creationDate`.
    pub creation_date: Timestamp,
    /// `deprecationTime`.
    pub deprecation_time: Option<Timestamp>,
    /// `platformDetails`.
    pub platform_details: String,
    /// `usageOperation`.
    pub usage_operation: String,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}

/// A block device of an image or a launch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// `deviceName`.
    pub device_name: String,
    /// `virtualName`: `ephemeral0`.
    pub virtual_name: Option<String>,
    /// `noDevice`: leave the image's out.
    pub no_device: bool,
    /// `ebs`.
    pub ebs: Option<EbsBlockDevice>,
}

/// The volume behind a block device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EbsBlockDevice {
    /// `snapshotId`.
    pub snapshot_id: Option<String>,
    /// `volumeSize`, GiB.
    pub volume_size: Option<i64>,
    /// `volumeType`.
    pub volume_type: Option<String>,
    /// `iops`.
    pub iops: Option<i64>,
    /// `throughput`.
    pub throughput: Option<i64>,
    /// `encrypted`.
    pub encrypted: Option<bool>,
    /// `kmsKeyId`.
    pub kms_key_id: Option<String>,
    /// `deleteOnTermination`.
    pub delete_on_termination: Option<bool>,
}

/// A key pair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// `keyName`.
    pub key_name: String,
    /// `keyPairId`.
    pub key_pair_id: String,
    /// `keyFingerprint`.
    pub key_fingerprint: String,
    /// `keyType`: `rsa` or `ed25519`.
    pub key_type: String,
    /// `createTime`.
    pub create_time: Timestamp,
    /// `tagSet`.
    pub tags: Vec<Tag>,
}
