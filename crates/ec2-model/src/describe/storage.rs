//! Volumes and images.

use crate::{
    api::{DescribeImages, EbsBlockDevice, Image, Response, Select, Tag, Volume},
    ec2::Ec2,
    error::ApiError,
    filter::{Column, Listed, maybe, one},
    ids::Kind,
};

impl Ec2 {
    pub(super) fn describe_volumes(&self, select: &Select) -> Result<Response, ApiError> {
        let items = self.world.volumes.values().cloned().collect();
        let page = super::tell(items, select, Kind::Volume, |v: &Volume| &v.volume_id)?;
        Ok(Response::DescribeVolumes(page))
    }

    /// A deregistered image is no longer told, unless it is asked for by id and still in use;
    /// simplified: it isn't told at all.
    pub(super) fn describe_images(&self, r: &DescribeImages) -> Result<Response, ApiError> {
        let owned = |image: &Image| {
            r.owners.is_empty()
                || r.owners.iter().any(|owner| match owner.as_str() {
                    "self" => image.owner_id == self.account,
                    other => image.owner_id == other || image.owner_alias.as_deref() == Some(other),
                })
        };
        let images = self.world.images.values();
        let items = images.filter(|image| image.state == "available" && owned(image));
        let items = items.cloned().collect();
        let page = super::tell(items, &r.select, Kind::Image, |i: &Image| &i.image_id)?;
        Ok(Response::DescribeImages(page))
    }
}

impl Listed for Volume {
    const ID_SET: &'static str = "volumeSet";
    const COLUMNS: &'static [Column<Volume>] = &[
        ("attachment.delete-on-termination", |v| {
            v.attachments.iter().map(|a| a.delete_on_termination.to_string()).collect()
        }),
        ("attachment.device", |v| v.attachments.iter().map(|a| a.device.clone()).collect()),
        ("attachment.instance-id", |v| {
            v.attachments.iter().map(|a| a.instance_id.clone()).collect()
        }),
        ("attachment.status", |v| v.attachments.iter().map(|a| a.state.clone()).collect()),
        ("availability-zone", |v| one(&v.availability_zone)),
        ("create-time", |v| one(v.create_time)),
        ("encrypted", |v| one(v.encrypted)),
        ("size", |v| one(v.size)),
        ("snapshot-id", |v| one(&v.snapshot_id)),
        ("status", |v| one(&v.state)),
        ("volume-id", |v| one(&v.volume_id)),
        ("volume-type", |v| one(&v.volume_type)),
    ];

    fn key(&self) -> String {
        self.volume_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

/// A column over the volumes of an image.
fn disks(i: &Image, read: impl Fn(&EbsBlockDevice) -> Option<String>) -> Vec<String> {
    i.block_device_mappings.iter().filter_map(|d| d.ebs.as_ref()).filter_map(read).collect()
}

impl Listed for Image {
    const ID_SET: &'static str = "imageIdSet";
    const PAGE_SIZES: (i64, i64) = (1, 1000);
    const COLUMNS: &'static [Column<Image>] = &[
        ("architecture", |i| one(&i.architecture)),
        ("block-device-mapping.device-name", |i| {
            i.block_device_mappings.iter().map(|d| d.device_name.clone()).collect()
        }),
        ("block-device-mapping.snapshot-id", |i| disks(i, |d| d.snapshot_id.clone())),
        ("block-device-mapping.volume-size", |i| {
            disks(i, |d| d.volume_size.map(|size| size.to_string()))
        }),
        ("block-device-mapping.volume-type", |i| disks(i, |d| d.volume_type.clone())),
        ("creation-date", |i| one(i.creation_date)),
        ("description", |i| maybe(i.description.as_ref())),
        ("ena-support", |i| one(i.ena_support)),
        ("hypervisor", |i| one(&i.hypervisor)),
        ("image-id", |i| one(&i.image_id)),
        ("image-type", |i| one(&i.image_type)),
        ("is-public", |i| one(i.public)),
        ("name", |i| one(&i.name)),
        ("owner-alias", |i| maybe(i.owner_alias.as_ref())),
        ("owner-id", |i| one(&i.owner_id)),
        ("root-device-name", |i| one(&i.root_device_name)),
        ("root-device-type", |i| one(&i.root_device_type)),
        ("state", |i| one(&i.state)),
        ("virtualization-type", |i| one(&i.virtualization_type)),
    ];

    fn key(&self) -> String {
        self.image_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}
