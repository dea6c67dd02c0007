//! One instance with everything an instance can have, for the tests of both services.

use std::net::Ipv4Addr;

use ec2_model::Timestamp;
use ec2_model::api::{
    CpuOptions, GroupRef, Instance, InstanceBlockDevice, InstanceNetworkInterface, InstanceProfile,
    InstanceState, InterfaceAttachment, MetadataOptions, Placement, PrivateDnsNameOptions,
    PrivateIpAddress, StateReason, Tag,
};

/// 2026-11-22T16:15:30.250Z.
pub(super) const LAUNCHED: Timestamp = Timestamp(1_795_364_130_250);

const ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 31, 48, 10);

fn group() -> GroupRef {
    GroupRef { group_id: "sg-1".to_owned(), group_name: "icmp & more".to_owned() }
}

pub(super) fn instance() -> Instance {
    Instance {
        instance_id: "i-0123456789abcdef0".to_owned(),
        image_id: "ami-1".to_owned(),
        state: InstanceState::Stopping,
        private_dns_name: "ip-172-31-48-10.ec2.internal".to_owned(),
        dns_name: String::new(),
        state_transition_reason: "User initiated (2026-11-22 16:15:30 GMT)".to_owned(),
        state_reason: Some(StateReason {
            code: "Client.UserInitiatedShutdown".to_owned(),
            message: "Client.UserInitiatedShutdown: User initiated shutdown".to_owned(),
        }),
        key_name: Some("k".to_owned()),
        ami_launch_index: 0,
        instance_type: "t3.micro".to_owned(),
        launch_time: LAUNCHED,
        placement: placement(),
        platform_details: "Linux/UNIX".to_owned(),
        monitoring: "disabled".to_owned(),
        subnet_id: Some("subnet-1".to_owned()),
        vpc_id: Some("vpc-1".to_owned()),
        private_ip_address: Some(ADDRESS),
        public_ip_address: None,
        ipv6_address: None,
        source_dest_check: Some(false),
        groups: vec![group()],
        architecture: "x86_64".to_owned(),
        root_device_type: "ebs".to_owned(),
        root_device_name: "/dev/xvda".to_owned(),
        block_devices: vec![InstanceBlockDevice {
            device_name: "/dev/xvda".to_owned(),
            volume_id: "vol-1".to_owned(),
            status: "attached".to_owned(),
            attach_time: LAUNCHED,
            delete_on_termination: true,
        }],
        virtualization_type: "hvm".to_owned(),
        hypervisor: "xen".to_owned(),
        client_token: "t-1".to_owned(),
        tags: vec![Tag { key: "Name".to_owned(), value: "vip-a".to_owned() }],
        network_interfaces: vec![interface()],
        ebs_optimized: false,
        ena_support: true,
        iam_instance_profile: Some(InstanceProfile {
            arn: "arn:aws:iam::123456789012:instance-profile/web".to_owned(),
            id: "AIPAFAKE".to_owned(),
        }),
        spot_instance_request_id: None,
        instance_lifecycle: None,
        cpu_options: Some(CpuOptions {
            core_count: Some(1),
            threads_per_core: Some(2),
            amd_sev_snp: None,
        }),
        capacity_reservation_preference: "open".to_owned(),
        hibernation: false,
        metadata_options: Some(metadata_options()),
        enclave: false,
        boot_mode: Some("uefi-preferred".to_owned()),
        current_instance_boot_mode: Some("uefi".to_owned()),
        usage_operation: "RunInstances".to_owned(),
        usage_operation_update_time: LAUNCHED,
        private_dns_name_options: Some(PrivateDnsNameOptions {
            hostname_type: "ip-name".to_owned(),
            enable_resource_name_dns_a_record: false,
            enable_resource_name_dns_aaaa_record: false,
        }),
        auto_recovery: "default".to_owned(),
        operator_managed: false,
    }
}

fn interface() -> InstanceNetworkInterface {
    InstanceNetworkInterface {
        network_interface_id: "eni-1".to_owned(),
        subnet_id: "subnet-1".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        description: String::new(),
        owner_id: "123456789012".to_owned(),
        status: "in-use".to_owned(),
        mac_address: "02:00:00:00:00:01".to_owned(),
        private_ip_address: ADDRESS,
        private_dns_name: "ip-172-31-48-10.ec2.internal".to_owned(),
        source_dest_check: false,
        groups: vec![group()],
        attachment: InterfaceAttachment {
            attachment_id: "eni-attach-1".to_owned(),
            status: "attached".to_owned(),
            attach_time: LAUNCHED,
            delete_on_termination: true,
            ..InterfaceAttachment::default()
        },
        association: None,
        private_ip_addresses: vec![PrivateIpAddress {
            private_ip_address: ADDRESS,
            private_dns_name: "ip-172-31-48-10.ec2.internal".to_owned(),
            primary: true,
            association: None,
        }],
        ipv6_addresses: Vec::new(),
        interface_type: "interface".to_owned(),
    }
}

fn metadata_options() -> MetadataOptions {
    MetadataOptions {
        state: "applied".to_owned(),
        http_tokens: "required".to_owned(),
        http_put_response_hop_limit: 2,
        http_endpoint: "enabled".to_owned(),
        http_protocol_ipv6: "disabled".to_owned(),
        instance_metadata_tags: "enabled".to_owned(),
    }
}

fn placement() -> Placement {
    Placement {
        availability_zone: "us-east-1a".to_owned(),
        availability_zone_id: "use1-az1".to_owned(),
        tenancy: "default".to_owned(),
        ..Placement::default()
    }
}
