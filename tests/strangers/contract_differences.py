"""Where moto and the lab are known to differ, and why the lab is believed.

An entry that no check needs fails the run: a difference that has gone must not come back unseen.
"""

# How a call ends. Check (or pattern) -> how it ends in the lab, how in moto (or patterns; `ok` is
# an answer, `no answer` an exception inside of moto), and why the lab is right.
MOTO_DIFFERS = {
    # Launches.
    "the launched one by its token": (
        "ok", "no answer", "moto lacks the filter client-token (EC2 API, DescribeInstances)"
    ),
    "the same token for another type": (
        "IdempotentParameterMismatch", "ok",
        "moto notes the token and no more; EC2 Developer Guide, \"Ensuring idempotency\"",
    ),
    "the token of what is terminated": (
        "IdempotentInstanceTerminated", "ok",
        "moto notes the token and no more; boto/boto3 issue 4406",
    ),
    "a launch with an unknown image": (
        "InvalidAMIID.NotFound", "ok", "moto warns in its log alone; EC2 API, \"Error codes\""
    ),
    "a launch with no id of an image": (
        "InvalidAMIID.Malformed", "ok", "moto warns in its log alone; EC2 API, \"Error codes\""
    ),
    "a launch with no image": (
        "MissingParameter", "ok", "without a launch template required: EC2 API, RunInstances"
    ),
    "a launch with an unknown type": (
        "InvalidParameterValue", "ok", "moto warns in its log alone; EC2 API, \"Error codes\""
    ),
    "a launch with an unknown key": (
        "InvalidKeyPair.NotFound", "ok", "moto doesn't look; EC2 API, \"Error codes\""
    ),
    "a launch with an unknown group": (
        "InvalidGroup.NotFound", "ok",
        "moto drops an interface's groups; EC2 API, \"Error codes\"",
    ),
    "a launch with an unknown profile": (
        "InvalidParameterValue", "NoSuchEntity",
        "moto lets IAM's code through; EC2 says \"Invalid IAM Instance Profile ARN\"",
    ),
    "a launch with groups beside the interface": (
        "InvalidParameterCombination", "ok",
        "moto checks the subnet alone; hashicorp/terraform issue 1188, aws/aws-cli issue 518",
    ),
    "a launch with no least count": ("MissingParameter", "ok", "required: EC2 API, RunInstances"),
    "a launch with a least count above the most": (
        "InvalidParameterCombination", "ok", "moto ignores MaxCount; EC2 API, RunInstances"
    ),
    "a launch with a token that is too long": (
        "InvalidClientToken", "ok", "64 ASCII characters: EC2 API, RunInstances, \"Error codes\""
    ),
    "a launch with user data that is too long": (
        "InvalidParameterValue", "ok", "16 KB: EC2 User Guide, \"Run commands at launch\""
    ),
    "a launch with an address that is taken": (
        "InvalidIPAddress.InUse", "no answer", "EC2 API, \"Error codes\""
    ),
    "a launch with an address of another subnet": (
        "InvalidParameterValue", "no answer", "must be of the subnet's range: EC2 API, RunInstances"
    ),
    "a launch with a tag on something else": (
        "InvalidParameterValue", "ok", "what can be tagged: EC2 API, RunInstances"
    ),
    "a launch with a tag twice": (
        "InvalidParameterValue", "ok",
        "\"Duplicate tag key\": scylladb/scylla-cluster-tests issue 1532",
    ),
    # Routes.
    "the same route comes again": (
        "RouteAlreadyExists", "ok", "moto doesn't look when the target is an interface"
    ),
    "the same route comes again, to another": (
        "RouteAlreadyExists", "ok", "moto doesn't look when the target is an interface"
    ),
    "a route inside the VPC's block": (
        "InvalidParameterValue", "ok",
        "VPC User Guide, \"Configure route tables\": only a whole subnet's block may be inside",
    ),
    "the tidied route goes": (
        "ok", "InvalidRoute.NotFound", "EC2 brings a block to canonical form: EC2 API, CreateRoute"
    ),
    "a destination that is none": (
        "InvalidParameterValue", "ok", "moto doesn't look when the target is an interface"
    ),
    "a route to an unknown gateway": (
        "InvalidGatewayID.NotFound", "InvalidInternetGatewayID.NotFound",
        "hashicorp/terraform issue 4987 saw this code",
    ),
    "a route without a destination": (
        "MissingParameter", "ok", "some destination is required: EC2 API, CreateRoute"
    ),
    "a route without a target": (
        "MissingParameter", "ok", "exactly one target is required: EC2 API, CreateRoute"
    ),
    "a move without a table": (
        "MissingParameter", "InvalidRouteTableID.NotFound", "required: EC2 API, ReplaceRoute"
    ),
    "a move that is only asked about": ("DryRunOperation", "ok", "moto moves the route"),
    "a route that is only asked about": ("DryRunOperation", "ok", "moto makes the route"),
    "the local route can't go": (
        "InvalidParameterValue", "ok", "EC2 API, DeleteRoute: \"cannot remove local route\""
    ),
    # An instance's life.
    "what is stopped can't reboot": (
        "IncorrectInstanceState", "ok", "moto starts it; EC2 API, \"Error codes\""
    ),
    "what runs becomes no other type": (
        "IncorrectInstanceState", "ok", "has to be stopped: EC2 API, ModifyInstanceAttribute"
    ),
    "it is terminated once more": (
        "ok", "InvalidNetworkInterfaceID.NotFound",
        "succeeds each time: EC2 API, TerminateInstances; moto misses the interface it deleted",
    ),
    "what is terminated can't *": (
        "IncorrectInstanceState", "ok", "moto starts it again; EC2 API, \"Error codes\""
    ),
    # Ids, filters, pages, parameters.
    "describe_network_acls: no id of one *": (
        "InvalidNetworkAclId.Malformed", "InvalidRouteTableID.NotFound", "moto says table for ACL"
    ),
    "describe_network_acls: an unknown network ACL": (
        "InvalidNetworkAclID.NotFound", "InvalidRouteTableID.NotFound", "moto says table for ACL"
    ),
    "describe_key_pairs: an unknown key pair": (
        "InvalidKeyPair.NotFound", "ok", "moto ignores ids of key pairs; EC2 API, \"Error codes\""
    ),
    "describe_key_pairs: no id of one *": (
        "Invalid*.Malformed", "ok", "moto ignores ids of key pairs"
    ),
    "describe_images: no id of one *": (
        "InvalidAMIID.Malformed", "InvalidAMIID.Malformed", "the one kind that moto looks at"
    ),
    "describe_volumes: no id of one *": (
        "InvalidParameterValue", "InvalidVolume.NotFound",
        "moto doesn't look; EC2: \"Value (nonsense) for parameter volumes is invalid. Expected: "
        "'vol-...'.\": so aws-parallelcluster, and cloudavail/aws-missing-tools issue 59",
    ),
    "*: no id of one *": (
        "Invalid*.Malformed", "Invalid*.NotFound", "moto doesn't look; EC2 API, \"Error codes\""
    ),
    "describe_instance_status: an unknown filter": (
        "InvalidParameterValue", "ok", "moto ignores it; EC2: \"The filter '...' is invalid\""
    ),
    "describe_availability_zones: an unknown filter": (
        "InvalidParameterValue", "ok", "moto ignores it; EC2: \"The filter '...' is invalid\""
    ),
    "*: an unknown filter": (
        "InvalidParameterValue", "no answer", "EC2: \"The filter '...' is invalid\""
    ),
    "terminate_instances: none named": (
        "MissingParameter", "InvalidParameterCombination", "required: EC2 API, TerminateInstances"
    ),
    "*_instances: none named": ("MissingParameter", "ok", "required: EC2 API, the three actions"),
    "an unknown zone": (
        "InvalidParameterValue", "ok", "EC2: \"Invalid availability zone: [...]\""
    ),
    "ids and a page size, for statuses": (
        "InvalidParameterCombination", "ok", "EC2 API, DescribeInstanceStatus: not both at once"
    ),
    "a page size below five": (
        "InvalidParameterValue", "ok", "5 to 1,000: EC2 API, DescribeInstances"
    ),
    "a page token that nobody gave": ("InvalidNextToken", "no answer", "EC2 API, \"Error codes\""),
    "no attribute named": (
        "MissingParameter", "InvalidParameterValue",
        "required: EC2 API, DescribeInstanceAttribute; moto reads None",
    ),
    # Changes.
    "an interface gets an unknown group": (
        "InvalidGroup.NotFound", "ok", "moto doesn't look; EC2 API, \"Error codes\""
    ),
    "an interface changes in no way": (
        "InvalidParameterCombination", "ok", "EC2: \"No attributes specified.\""
    ),
    "an unknown thing * a tag": (
        "InvalidInstanceID.NotFound", "ok", "moto tags what isn't there; EC2 API, \"Error codes\""
    ),
    "a tag of Amazon's": (
        "InvalidParameterValue", "ok", "reserved: EC2 User Guide, \"Tag restrictions\""
    ),
    "a tag twice": (
        "InvalidParameterValue", "ok",
        "\"Duplicate tag key\": scylladb/scylla-cluster-tests issue 1532 (RunInstances)",
    ),
    "no tags": ("MissingParameter", "ok", "required: EC2 API, CreateTags"),
    # Security groups.
    "a group with a reserved name": (
        "InvalidParameterValue", "InvalidGroup.Duplicate",
        "EC2: \"Cannot use reserved security group name: default\"",
    ),
    "a group with an id for a name": (
        "InvalidParameterValue", "ok",
        "EC2 API, CreateSecurityGroup: a name doesn't begin with \"sg-\"",
    ),
    "a group without a name": (
        "MissingParameter", "ok", "required: EC2 API, CreateSecurityGroup"
    ),
    "a group in an unknown VPC": (
        "InvalidVpcID.NotFound", "ok", "moto doesn't look; EC2 API, \"Error codes\""
    ),
    "a rule twice in one call": (
        "InvalidParameterValue", "InvalidPermission.Duplicate",
        "\"The same permission must not appear multiple times\": hashicorp/"
        "terraform-provider-aws issue 2587",
    ),
    "TCP without ports": (
        "InvalidParameterValue", "no answer",
        "\"Must specify both from and to ports with TCP/UDP.\": awsdocs/"
        "aws-cloudformation-user-guide pull request 217",
    ),
    "ICMP without type and code": (
        "InvalidParameterValue", "no answer",
        "\"Must specify both from and to ports with ICMP.\": awsdocs/"
        "aws-cloudformation-user-guide pull request 217",
    ),
    "a port that is none": (
        "InvalidPermission.Malformed", "ok",
        "\"TCP/UDP port (-1) out of range\": boto/boto3 issue 336",
    ),
    "a code that is none": (
        "InvalidParameterValue", "ok",
        "\"ICMP code (65535) out of range\": terraform-aws-modules/"
        "terraform-aws-security-group issue 7",
    ),
    "a protocol that is none": (
        "InvalidParameterValue", "ok", "a name of four or a number: EC2 API, IpPermission"
    ),
    "another protocol by its number": (
        "ok", "no answer", "EC2 API, IpPermission; ansible/ansible issue 11177 did it"
    ),
    "an unknown group *admit*": (
        "InvalidGroup.NotFound", "ok", "moto doesn't look; EC2 API, \"Error codes\""
    ),
    "no rule at all": ("MissingParameter", "ok", "some permission is required"),
    "an unknown rule can't go": (
        "InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound",
        "EC2 API, \"Error codes\"",
    ),
    "what is worn stays": (
        "DependencyViolation", "ok", "EC2 API, DeleteSecurityGroup, \"Error codes\""
    ),
    "a default group stays": ("CannotDelete", "ok", "EC2 API, \"Error codes\""),
    "no group goes": (
        "MissingParameter", "ok", "id or name is required: EC2 API, DeleteSecurityGroup"
    ),
    # Network ACLs.
    "an entry that isn't there can't *": (
        "InvalidNetworkAclEntry.NotFound", "no answer",
        "hashicorp/terraform-provider-aws issue 12175 saw it",
    ),
    "an entry that is only asked about": ("DryRunOperation", "ok", "moto makes the entry"),
    "number 0": (
        "InvalidParameterValue", "ok", "1 to 32766: EC2 API, CreateNetworkAclEntry"
    ),
    "the last number": (
        "InvalidParameterValue", "NetworkAclEntryAlreadyExists",
        "1 to 32766: EC2 API, CreateNetworkAclEntry",
    ),
    "TCP without a range": (
        "MissingParameter", "ok", "required for TCP: EC2 API, CreateNetworkAclEntry"
    ),
    "an entry without a block": (
        "MissingParameter", "ok", "required: EC2 API, CreateNetworkAclEntry"
    ),
    "an entry with a block that is none": (
        "InvalidParameterValue", "ok", "moto doesn't look; EC2 API, \"Error codes\""
    ),
    "an entry that does nothing": (
        "InvalidParameterValue", "ok", "allow or deny: EC2 API, CreateNetworkAclEntry"
    ),
    "an unknown place of an ACL": (
        "InvalidAssociationID.NotFound", "no answer", "EC2 API, \"Error codes\""
    ),
    "a default ACL stays": (
        "InvalidParameterValue", "DependencyViolation",
        "EC2 API, DeleteNetworkAcl: not the default one, with or without subnets",
    ),
}

# What both answer, and differently. (kind, why, members, check), where the kind says who alone
# tells the member (`lab`, `moto`), or that its `value` differs, or the `count` of a list's
# members. None is every check.
_ROWS = [
    # What moto leaves out.
    (
        "lab", "in EC2's answers for every instance; moto doesn't have it",
        """Instance.CapacityReservationSpecification Instance.CpuOptions
        Instance.CurrentInstanceBootMode Instance.EnaSupport Instance.EnclaveOptions
        Instance.MaintenanceOptions Instance.Operator Instance.PlatformDetails
        Instance.PrivateDnsNameOptions Instance.PublicDnsName Instance.UsageOperation
        Instance.UsageOperationUpdateTime HibernationOptions.Configured
        InstancePrivateIpAddress.PrivateDnsName Placement.AvailabilityZoneId
        InstanceStatus.AttachedEbsStatus InstanceStatus.AvailabilityZoneId InstanceStatus.Events
        InstanceStatus.Operator InstanceStatusSummary.Details""",
        None,
    ),
    (
        "lab", "in EC2's answers; moto doesn't have it",
        """AvailabilityZone.GroupName AvailabilityZone.NetworkBorderGroup
        AvailabilityZone.OptInStatus Image.EnaSupport Image.ImageLocation Image.ImdsSupport
        Image.PlatformDetails Image.SriovNetSupport Image.UsageOperation EbsBlockDevice.Encrypted
        EbsBlockDevice.Iops EbsBlockDevice.Throughput KeyPairInfo.KeyType
        RouteTable.PropagatingVgws Subnet.EnableDns64 Volume.MultiAttachEnabled Volume.SnapshotId
        Volume.Throughput VolumeAttachment.DeleteOnTermination""",
        None,
    ),
    (
        "lab", "EC2 tells the interface's instance, and the instance's interface; moto what the "
        "call named",
        "Route.InstanceId Route.InstanceOwnerId Route.NetworkInterfaceId",
        None,
    ),
    (
        "lab", "EC2 API, DescribeInstanceAttribute; moto answers nothing for it",
        "InstanceAttribute.BlockDeviceMappings", "its attribute blockDeviceMapping",
    ),
    (
        "lab", "in EC2's answers (EC2 API, SecurityGroupRule); moto doesn't have it",
        "SecurityGroupRule.GroupOwnerId SecurityGroupRule.SecurityGroupRuleArn", None,
    ),
    (
        "lab", "in EC2's answers: EC2 API, the actions; moto says that it was done, or nothing",
        """RevokeSecurityGroupIngressResult.RevokedSecurityGroupRules
        RevokeSecurityGroupEgressResult.RevokedSecurityGroupRules
        DeleteSecurityGroupResult.Return DeleteSecurityGroupResult.GroupId
        CreateSecurityGroupResult.Tags NetworkAclEntry.IcmpTypeCode""",
        None,
    ),
    (
        "lab", "-1 in EC2's answers where a rule has no ports; moto leaves it out of this one",
        "SecurityGroupRule.FromPort SecurityGroupRule.ToPort", None,
    ),
    # What the lab leaves out.
    (
        "moto", "EC2 tells it too, empty; nothing here reads it",
        "Instance.ProductCodes Image.ProductCodes", None,
    ),
    (
        "moto", "EC2 tells it too; the lab tells what anything here depends on",
        """InstanceStorageInfo.Disks InstanceStorageInfo.EncryptionSupport
        InstanceStorageInfo.NvmeSupport InstanceTypeInfo.AutoRecoverySupported
        InstanceTypeInfo.BareMetal InstanceTypeInfo.CurrentGeneration
        InstanceTypeInfo.DedicatedHostsSupported InstanceTypeInfo.EbsInfo
        InstanceTypeInfo.FreeTierEligible InstanceTypeInfo.HibernationSupported
        InstanceTypeInfo.Hypervisor InstanceTypeInfo.MemoryInfo InstanceTypeInfo.NetworkInfo
        InstanceTypeInfo.NitroEnclavesSupport InstanceTypeInfo.NitroTpmInfo
        InstanceTypeInfo.NitroTpmSupport InstanceTypeInfo.PhcSupport
        InstanceTypeInfo.PlacementGroupInfo InstanceTypeInfo.RebootMigrationSupport
        InstanceTypeInfo.SupportedBootModes InstanceTypeInfo.SupportedInRegion
        InstanceTypeInfo.SupportedRootDeviceTypes InstanceTypeInfo.SupportedUsageClasses
        InstanceTypeInfo.SupportedVirtualizationTypes ProcessorInfo.Manufacturer
        ProcessorInfo.SustainedClockSpeedInGhz VCpuInfo.ValidCores VCpuInfo.ValidThreadsPerCore""",
        "what a type has",
    ),
    ("moto", "of its own image", "Image.BootMode Image.Description", None),
    (
        "moto", "EC2 tells it of interfaces that a service made, of types without ENA, of public "
        "addresses that there are, of states with a reason: not of these",
        """NetworkInterface.RequesterId Instance.SriovNetSupport
        InstanceNetworkInterface.Association Instance.StateReason""",
        None,
    ),
    (
        "moto", "a terminated instance has lost it; seen in real answers with state 48",
        """Instance.MetadataOptions Instance.PrivateIpAddress Instance.SourceDestCheck
        Instance.SubnetId Instance.VpcId""",
        "what a terminated one tells",
    ),
    ("count", "a terminated instance has lost it", "Instance.NetworkInterfaces",
     "what a terminated one tells"),
    ("value", "a terminated instance has lost it", "Instance.PrivateDnsName",
     "what a terminated one tells"),
    # What each makes up for itself.
    (
        "value", "each its own: zone ids are mapped for each account (EC2 User Guide, \"AZ IDs\")",
        "AvailabilityZone.ZoneId Subnet.AvailabilityZoneId", None,
    ),
    (
        "value", "each its own image, user, key, profile, options",
        """Image.Name EbsBlockDevice.DeleteOnTermination
        EbsBlockDevice.VolumeSize EbsBlockDevice.VolumeType InstanceBlockDeviceMapping.DeviceName
        GetCallerIdentityResponse.Arn GetCallerIdentityResponse.UserId KeyPairInfo.KeyFingerprint
        IamInstanceProfile.Id Vpc.DhcpOptionsId DescribeInstancesResult.NextToken""",
        None,
    ),
    # What moto does otherwise.
    (
        "value", "the lab's image asks for tokens (EC2 User Guide, \"Configure the instance "
        "metadata options\": order of precedence)",
        """InstanceMetadataOptionsResponse.HttpPutResponseHopLimit
        InstanceMetadataOptionsResponse.HttpTokens""",
        None,
    ),
    (
        "value", "an interface made by a launch goes with its instance (EC2 API, RunInstances)",
        "InstanceNetworkInterfaceAttachment.DeleteOnTermination "
        "NetworkInterfaceAttachment.DeleteOnTermination",
        None,
    ),
    (
        "value", "by the API there is none unless asked for; the console writes this one",
        "InstanceNetworkInterface.Description NetworkInterface.Description", None,
    ),
    (
        "value", "the instance's is its only interface's (EC2 API, Instance); moto has two",
        "Instance.SourceDestCheck", None,
    ),
    (
        "count", "moto drops an interface's groups from the instance",
        "Instance.SecurityGroups InstanceAttribute.Groups", None,
    ),
    (
        "value", "a terminated instance's address is free again; moto keeps it",
        "Subnet.AvailableIpAddressCount", "its subnet has an address less",
    ),
    ("count", "moto doesn't tag interfaces at a launch", "NetworkInterface.TagSet", None),
    (
        "count", "moto keeps the default subnets that were deleted", "NetworkAcl.Associations",
        None,
    ),
    (
        "value", "T3 is unlimited by default (EC2 User Guide, \"Unlimited mode\")",
        "InstanceCreditSpecification.CpuCredits", None,
    ),
    (
        "value", "EC2 says `pending` of what is launched (EC2 API, RunInstances, the example)",
        "StateReason.Code StateReason.Message", None,
    ),
    (
        "value", "EC2 writes GMT (EC2 User Guide, \"Troubleshoot instance termination\")",
        "Instance.StateTransitionReason", None,
    ),
    (
        "value", "the same instance again: EC2 Developer Guide, \"Ensuring idempotency\"",
        """Instance.InstanceId EbsInstanceBlockDevice.VolumeId
        InstanceNetworkInterface.NetworkInterfaceId InstanceState.Code InstanceState.Name""",
        "the same token again",
    ),
    (
        "value", "nothing changes, so it stays what it is", "InstanceState.Code InstanceState.Name",
        "it stops once more",
    ),
    (
        "value", "nothing changes, so it stays what it is", "InstanceState.Code InstanceState.Name",
        "it starts once more",
    ),
    ("lab", "moto doesn't page statuses", "DescribeInstanceStatusResult.NextToken",
     "a first page of statuses"),
    ("count", "moto doesn't page statuses", "DescribeInstanceStatusResult.InstanceStatuses",
     "a first page of statuses"),
    (
        "count", "moto tells the last one alone",
        "AuthorizeSecurityGroupIngressResult.SecurityGroupRules", "several rules at once",
    ),
    (
        "value", "moto tells the last one alone",
        """SecurityGroupRule.IpProtocol SecurityGroupRule.FromPort SecurityGroupRule.ToPort
        SecurityGroupRule.CidrIpv4""",
        "several rules at once",
    ),
    (
        "value", "EC2 brings a block to canonical form (EC2 API, IpRange)",
        "SecurityGroupRule.CidrIpv4", "a block that isn't canonical",
    ),
    (
        "count", "a new ACL has the rules `*` (EC2 API, CreateNetworkAcl, the example)",
        "NetworkAcl.Entries", "an ACL is made",
    ),
    (
        "value", "EC2 brings a block to canonical form (EC2 API, CreateRoute)",
        "Route.DestinationCidrBlock", "the destination has been tidied",
    ),
    (
        "value", "a target that is gone is a blackhole (EC2 API, Route); moto doesn't know them",
        "Route.State", "the route to what is terminated",
    ),
    (
        "moto", "IAM tells these of GetRole alone (IAM API, Role and the example of "
        "GetInstanceProfile)",
        """InstanceProfile.Tags Role.MaxSessionDuration Role.RoleLastUsed Role.Tags""",
        "what is inside a profile",
    ),
    (
        "value", "profiles' ids begin with AIPA (IAM User Guide, \"IAM identifiers\")",
        "InstanceProfile.InstanceProfileId", "what is inside a profile",
    ),
]

# (check or None, member, kind) -> why.
ANSWERS_DIFFER = {
    (check, member, kind): why
    for kind, why, members, check in _ROWS
    for member in members.split()
}
