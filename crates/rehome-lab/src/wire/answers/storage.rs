//! Volumes and images.

use ec2_model::api::{BlockDevice, EbsBlockDevice, Image, Volume, VolumeAttachment};

use super::super::xml::Xml;
use super::tags;

pub(super) fn volume(xml: &mut Xml, volume: &Volume) {
    xml.leaf("volumeId", &volume.volume_id);
    xml.leaf("size", volume.size);
    xml.leaf("snapshotId", &volume.snapshot_id);
    xml.leaf("availabilityZone", &volume.availability_zone);
    xml.leaf("status", &volume.state);
    xml.time("createTime", volume.create_time);
    xml.list("attachmentSet", &volume.attachments, volume_attachment);
    tags(xml, &volume.tags);
    xml.leaf("volumeType", &volume.volume_type);
    xml.maybe("iops", volume.iops);
    xml.maybe("throughput", volume.throughput);
    xml.leaf("encrypted", volume.encrypted);
    xml.maybe("kmsKeyId", volume.kms_key_id.as_ref());
    xml.leaf("multiAttachEnabled", volume.multi_attach_enabled);
}

fn volume_attachment(xml: &mut Xml, attachment: &VolumeAttachment) {
    xml.leaf("volumeId", &attachment.volume_id);
    xml.leaf("instanceId", &attachment.instance_id);
    xml.leaf("device", &attachment.device);
    xml.leaf("status", &attachment.state);
    xml.time("attachTime", attachment.attach_time);
    xml.leaf("deleteOnTermination", attachment.delete_on_termination);
}

pub(super) fn image(xml: &mut Xml, image: &Image) {
    xml.leaf("imageId", &image.image_id);
    xml.leaf("imageLocation", &image.image_location);
    xml.leaf("imageState", &image.state);
    xml.leaf("imageOwnerId", &image.owner_id);
    xml.maybe("imageOwnerAlias", image.owner_alias.as_ref());
    xml.leaf("isPublic", image.public);
    xml.leaf("architecture", &image.architecture);
    xml.leaf("imageType", &image.image_type);
    xml.leaf("name", &image.name);
    xml.maybe("description", image.description.as_ref());
    xml.leaf("rootDeviceType", &image.root_device_type);
    xml.leaf("rootDeviceName", &image.root_device_name);
    xml.list("blockDeviceMapping", &image.block_device_mappings, block_device);
    xml.leaf("virtualizationType", &image.virtualization_type);
    xml.leaf("hypervisor", &image.hypervisor);
    xml.leaf("enaSupport", image.ena_support);
    xml.maybe("sriovNetSupport", image.sriov_net_support.as_ref());
    xml.maybe("bootMode", image.boot_mode.as_ref());
    xml.maybe("imdsSupport", image.imds_support.as_ref());
    xml.time("creationDate", image.creation_date);
    xml.maybe_time("deprecationTime", image.deprecation_time);
    xml.leaf("platformDetails", &image.platform_details);
    xml.leaf("usageOperation", &image.usage_operation);
    tags(xml, &image.tags);
}

fn block_device(xml: &mut Xml, device: &BlockDevice) {
    xml.leaf("deviceName", &device.device_name);
    xml.maybe("virtualName", device.virtual_name.as_ref());
    xml.maybe("noDevice", device.no_device.then_some(""));
    if let Some(volume) = &device.ebs {
        xml.element("ebs", |xml| ebs(xml, volume));
    }
}

fn ebs(xml: &mut Xml, volume: &EbsBlockDevice) {
    xml.maybe("snapshotId", volume.snapshot_id.as_ref());
    xml.maybe("volumeSize", volume.volume_size);
    xml.maybe("volumeType", volume.volume_type.as_ref());
    xml.maybe("iops", volume.iops);
    xml.maybe("throughput", volume.throughput);
    xml.maybe("encrypted", volume.encrypted);
    xml.maybe("kmsKeyId", volume.kms_key_id.as_ref());
    xml.maybe("deleteOnTermination", volume.delete_on_termination);
}
