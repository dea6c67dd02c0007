//! What `RunInstances` is asked.

use serde::{Deserialize, Serialize};

use super::{BlockDevice, CpuOptions, Tag};

/// Parameters of `RunInstances`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInstances {
    /// `DryRun`.
    pub dry_run: bool,
    /// `ImageId`; empty when left out.
    pub image_id: String,
    /// `InstanceType`; EC2's default is `m1.small`.
    pub instance_type: Option<String>,
    /// `MinCount`; required.
    pub min_count: Option<i64>,
    /// `MaxCount`; required.
    pub max_count: Option<i64>,
    /// `KeyName`.
    pub key_name: Option<String>,
    /// `SubnetId`; without it (and without interfaces) the default VPC's subnet.
    pub subnet_id: Option<String>,
    /// `PrivateIpAddress`.
    pub private_ip_address: Option<String>,
    /// `Ipv6AddressCount`.
    pub ipv6_address_count: Option<i64>,
    /// `SecurityGroupId.N`.
    pub security_group_ids: Vec<String>,
    /// `SecurityGroup.N` (names); default VPC only.
    pub security_groups: Vec<String>,
    /// `NetworkInterface.N`; excludes `SubnetId` and groups at the top level.
    pub network_interfaces: Vec<NetworkInterfaceSpec>,
    /// `UserData` as it came: base64 text.
    pub user_data: Option<String>,
    /// `ClientToken`.
    pub client_token: Option<String>,
    /// `TagSpecification.N`.
    pub tag_specifications: Vec<TagSpecification>,
    /// `IamInstanceProfile`.
    pub iam_instance_profile: Option<ProfileSpec>,
    /// `EbsOptimized`.
    pub ebs_optimized: Option<bool>,
    /// `Monitoring.Enabled`.
    pub monitoring: Option<bool>,
    /// `MetadataOptions`.
    pub metadata_options: Option<MetadataOptionsSpec>,
    /// `CpuOptions`.
    pub cpu_options: Option<CpuOptions>,
    /// `CreditSpecification.CpuCredits`: `standard` or `unlimited`.
    pub cpu_credits: Option<String>,
    /// `InstanceInitiatedShutdownBehavior`: `stop` or `terminate`.
    pub instance_initiated_shutdown_behavior: Option<String>,
    /// `DisableApiTermination`.
    pub disable_api_termination: Option<bool>,
    /// `DisableApiStop`.
    pub disable_api_stop: Option<bool>,
    /// `Placement`.
    pub placement: Option<PlacementSpec>,
    /// `BlockDeviceMapping.N`: overrides of the image's.
    pub block_device_mappings: Vec<BlockDevice>,
    /// `InstanceMarketOptions.MarketType`: `spot`.
    pub market_type: Option<String>,
    /// `InstanceMarketOptions.SpotOptions.SpotInstanceType`.
    pub spot_instance_type: Option<String>,
    /// `MaintenanceOptions.AutoRecovery`: `default` or `disabled`.
    pub auto_recovery: Option<String>,
    /// `PrivateDnsNameOptions.HostnameType`: `ip-name` or `resource-name`.
    pub hostname_type: Option<String>,
    /// `PrivateDnsNameOptions.EnableResourceNameDnsARecord`.
    pub resource_name_dns_a_record: Option<bool>,
    /// `PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord`.
    pub resource_name_dns_aaaa_record: Option<bool>,
}

/// One `NetworkInterface.N` of `RunInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterfaceSpec {
    /// `DeviceIndex`; required.
    pub device_index: Option<i64>,
    /// `NetworkCardIndex`.
    pub network_card_index: Option<i64>,
    /// `NetworkInterfaceId`: attach an existing one.
    pub network_interface_id: Option<String>,
    /// `SubnetId`.
    pub subnet_id: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `PrivateIpAddress`.
    pub private_ip_address: Option<String>,
    /// `SecurityGroupId.N`.
    pub groups: Vec<String>,
    /// `AssociatePublicIpAddress`.
    pub associate_public_ip_address: Option<bool>,
    /// `DeleteOnTermination`; true for new interfaces unless given.
    pub delete_on_termination: Option<bool>,
    /// `Ipv6AddressCount`.
    pub ipv6_address_count: Option<i64>,
    /// `InterfaceType`: `interface` or `efa`.
    pub interface_type: Option<String>,
}

/// `TagSpecification.N`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagSpecification {
    /// `ResourceType`: `instance`, `volume`, `network-interface`, ...
    pub resource_type: String,
    /// `Tag.N`.
    pub tags: Vec<Tag>,
}

/// `IamInstanceProfile`: by ARN or by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileSpec {
    /// `Arn`.
    pub arn: Option<String>,
    /// `Name`.
    pub name: Option<String>,
}

/// `MetadataOptions` of `RunInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptionsSpec {
    /// `HttpTokens`: `optional` or `required`.
    pub http_tokens: Option<String>,
    /// `HttpPutResponseHopLimit`.
    pub http_put_response_hop_limit: Option<i64>,
    /// `HttpEndpoint`: `enabled` or `disabled`.
    pub http_endpoint: Option<String>,
    /// `HttpProtocolIpv6`.
    pub http_protocol_ipv6: Option<String>,
    /// `InstanceMetadataTags`.
    pub instance_metadata_tags: Option<String>,
}

/// `Placement` of `RunInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementSpec {
    /// `AvailabilityZone`.
    pub availability_zone: Option<String>,
    /// `Tenancy`: `default`, `dedicated`, `host`.
    pub tenancy: Option<String>,
    /// `GroupName`.
    pub group_name: Option<String>,
    /// `PartitionNumber`.
    pub partition_number: Option<i64>,
    /// `HostId`.
    pub host_id: Option<String>,
    /// `Affinity`.
    pub affinity: Option<String>,
}
