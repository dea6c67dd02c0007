//! The volumes of a launch.

use crate::{
    api::{BlockDevice, RunInstances, Tag, Volume, VolumeAttachment},
    ec2::Ec2,
    error::ApiError,
};

/// One volume of every instance of a launch.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    device: String,
    size: i64,
    snapshot: String,
    kind: String,
    iops: Option<i64>,
    throughput: Option<i64>,
    encrypted: bool,
    kms_key: Option<String>,
    delete_on_termination: bool,
}

/// GiB of a volume that neither image nor launch gives a size.
const DEFAULT_SIZE: i64 = 8;

impl Ec2 {
    /// The image's mapping with the launch's overrides, device by device (EC2 API,
    /// `BlockDeviceMapping`).
    pub(super) fn disks(&self, r: &RunInstances) -> Result<Vec<Disk>, ApiError> {
        let image = self.known_image(&r.image_id)?;
        let mut disks = Vec::new();
        for own in &image.block_device_mappings {
            let other = r.block_device_mappings.iter().find(|d| d.device_name == own.device_name);
            let dropped = other.is_some_and(|other| other.no_device);
            let is_root = own.device_name == image.root_device_name;
            if !dropped && own.ebs.is_some() {
                disks.push(merged(Some(own), other.unwrap_or(own), is_root)?);
            }
        }
        for added in &r.block_device_mappings {
            if added.device_name.is_empty() {
                return Err(ApiError::missing_parameter("BlockDeviceMapping.DeviceName"));
            }
            let known =
                image.block_device_mappings.iter().any(|d| d.device_name == added.device_name);
            if !known && added.ebs.is_some() {
                disks.push(merged(None, added, false)?);
            }
        }
        Ok(disks)
    }

    /// Makes one volume; returns its device name and id.
    pub(super) fn make_volume(
        &mut self,
        disk: &Disk,
        instance: &str,
        zone: &str,
        tags: &[Tag],
    ) -> (String, String) {
        let volume_id = self.generator.id("vol");
        let now = self.timestamp(self.now);
        let volume = Volume {
            volume_id: volume_id.clone(),
            size: disk.size,
            snapshot_id: disk.snapshot.clone(),
            availability_zone: zone.to_owned(),
            state: "in-use".to_owned(),
            create_time: now,
            attachments: vec![VolumeAttachment {
                volume_id: volume_id.clone(),
                instance_id: instance.to_owned(),
                device: disk.device.clone(),
                state: "attached".to_owned(),
                attach_time: now,
                delete_on_termination: disk.delete_on_termination,
            }],
            tags: tags.to_vec(),
            volume_type: disk.kind.clone(),
            iops: disk.iops,
            throughput: disk.throughput,
            encrypted: disk.encrypted,
            kms_key_id: disk.kms_key.clone(),
            multi_attach_enabled: false,
        };
        self.world.volumes.insert(volume_id.clone(), volume);
        (disk.device.clone(), volume_id)
    }
}

/// What the launch says, else what the image says, else EC2's default.
fn merged(
    image: Option<&BlockDevice>,
    launch: &BlockDevice,
    is_root: bool,
) -> Result<Disk, ApiError> {
    let own = image.and_then(|device| device.ebs.clone()).unwrap_or_default();
    let other = launch.ebs.clone().unwrap_or_default();
    let snapshot = other.snapshot_id.or(own.snapshot_id).unwrap_or_default();
    let size = other.volume_size.or(own.volume_size).unwrap_or(DEFAULT_SIZE);
    if let Some(least) = own.volume_size.filter(|least| size < *least) {
        return Err(ApiError::new(
            400,
            "InvalidBlockDeviceMapping",
            format!(
                "Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size >= \
                 {least}GB"
            ),
        ));
    }
    let kind = other.volume_type.or(own.volume_type).unwrap_or_else(|| "gp2".to_owned());
    let gp3 = kind == "gp3";
    Ok(Disk {
        device: launch.device_name.clone(),
        size,
        snapshot,
        // gp3's baseline (EBS User Guide, "General Purpose SSD volumes").
        iops: other.iops.or(own.iops).or(gp3.then_some(3000)),
        throughput: other.throughput.or(own.throughput).or(gp3.then_some(125)),
        kind,
        encrypted: other.encrypted.or(own.encrypted).unwrap_or(false),
        kms_key: other.kms_key_id.or(own.kms_key_id),
        delete_on_termination: other
            .delete_on_termination
            .or(own.delete_on_termination)
            .unwrap_or(is_root),
    })
}
