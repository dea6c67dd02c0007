"""The calls that are put to the lab and to moto, in the order of their story.

Parameters are a function of the side they are put to: `s["vpc"]` is what that side calls the VPC.
`keep` notes what later calls need. `clean` is done to moto alone, afterwards, where moto lets
through what EC2 refuses: the two must tell the same story again.
"""

import collections

Call = collections.namedtuple("Call", "name action parameters keep clean")

VIP = "10.0.0.10/32"
OTHER = "10.0.0.20/32"
NOWHERE = "10.0.0.99/32"
INSIDE = "172.31.48.77/32"
UNTIDY, TIDY = "10.7.7.7/24", "10.7.7.0/24"
NONE = "10.0.0.999/32"
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
SCRIPT = "#!/bin/sh\necho built by somebody else\n"
TOKEN = "rehome-contract-1"
# One more than EC2's smallest page of instances.
FLEET = 6

UNKNOWN = {
    "instance": "i-0123456789abcdef0",
    "VPC": "vpc-0123456789abcdef0",
    "subnet": "subnet-0123456789abcdef0",
    "route table": "rtb-0123456789abcdef0",
    "interface": "eni-0123456789abcdef0",
    "security group": "sg-0123456789abcdef0",
    "volume": "vol-0123456789abcdef0",
    "image": "ami-0123456789abcdef0",
    "network ACL": "acl-0123456789abcdef0",
    "key pair": "key-0123456789abcdef0",
    "gateway": "igw-0123456789abcdef0",
}


def call(name, action, parameters, keep=None, clean=None):
    if isinstance(parameters, dict):
        return Call(name, action, lambda s: parameters, keep, clean)
    return Call(name, action, parameters, keep, clean)


def having(*pairs):
    """Filters: `having(("vpc-id", "vpc-1"), ("tag:Name", "a", "b"))`."""
    return [{"Name": name, "Values": list(values)} for name, *values in pairs]


def launch(s, **changes):
    """What rehome sends: subnet and groups belong to the one interface. None leaves out."""
    tags = [{"Key": "Name", "Value": "vip-b"}, {"Key": "rehome:vip", "Value": "10.0.0.10"}]
    kinds = ["instance", "volume", "network-interface"]
    request = {
        "ImageId": s["image"],
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": TOKEN,
        "UserData": SCRIPT,
        "KeyName": s["key"],
        "IamInstanceProfile": {"Arn": s["profile"]},
        "Monitoring": {"Enabled": False},
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 2,
            "HttpEndpoint": "enabled",
            "HttpProtocolIpv6": "disabled",
            "InstanceMetadataTags": "disabled",
        },
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
        "CreditSpecification": {"CpuCredits": "unlimited"},
        "InstanceInitiatedShutdownBehavior": "stop",
        "BlockDeviceMappings": [root_volume()],
        "NetworkInterfaces": [interface(s)],
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in kinds],
    }
    request.update(changes)
    return {name: value for name, value in request.items() if value is not None}


def root_volume():
    volume = {
        "VolumeSize": 8,
        "VolumeType": "gp3",
        "Iops": 3000,
        "Throughput": 125,
        "DeleteOnTermination": True,
    }
    return {"DeviceName": "/dev/xvda", "Ebs": volume}


def interface(s, **changes):
    plain = {
        "DeviceIndex": 0,
        "SubnetId": s["subnet-b"],
        "Groups": [s["group"]],
        "AssociatePublicIpAddress": False,
        "DeleteOnTermination": True,
    }
    return dict(plain, **changes)


def small(s, fleet, count=1):
    """A launch with nothing but what is needed, one of several that are alike."""
    return {
        "ImageId": s["image"],
        "InstanceType": "t3.micro",
        "MinCount": count,
        "MaxCount": count,
        "SubnetId": s["subnet-b"],
        "SecurityGroupIds": [s["group"]],
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": "Fleet", "Value": fleet}]}
        ],
    }


def keep_launched(s, answer):
    instance = answer["Instances"][0]
    s["new"] = instance["InstanceId"]
    s["eni-new"] = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]


def keep_more(s, answer):
    s["fleet"] = s.things.get("fleet", []) + [i["InstanceId"] for i in answer["Instances"]]


def keep_page(s, answer):
    # In a list: a token is no name of a thing.
    s["page"] = [answer["NextToken"]]


def keep_volume(s, answer):
    s["volume"] = answer["Volumes"][0]["VolumeId"]


def away(s, answer):
    """Ends what moto launched and EC2 wouldn't have."""
    if answer:
        s.ec2.terminate_instances(InstanceIds=[i["InstanceId"] for i in answer["Instances"]])


def route(s, destination, **target):
    return dict(RouteTableId=s["table"], DestinationCidrBlock=destination, **target)


def without(destination):
    return lambda s, _: s.ec2.delete_route(**route(s, destination))


def about(s):
    return {"InstanceIds": [s["new"]]}


def table(s):
    return {"RouteTableIds": [s["table"]]}


def to_new(s):
    return {"NetworkInterfaceId": s["eni-new"]}


def reading():
    ours = lambda s, *more: {"Filters": having(("vpc-id", s["vpc"]), *more)}
    return [
        call("who calls", "get_caller_identity", {}),
        call("what is inside a profile", "get_instance_profile",
             lambda s: {"InstanceProfileName": s["profile"].split("/")[-1]}),
        call("what is inside a profile that there isn't", "get_instance_profile",
             {"InstanceProfileName": "nobodys"}),
        call("the VPC by its id", "describe_vpcs", lambda s: {"VpcIds": [s["vpc"]]}),
        call("VPCs by filter", "describe_vpcs",
             {"Filters": having(("cidr", "172.31.0.0/16"), ("is-default", "true"))}),
        call("a subnet by its id", "describe_subnets", lambda s: {"SubnetIds": [s["subnet-a"]]}),
        call("a VPC's subnets", "describe_subnets", lambda s: dict(ours(s), MaxResults=1000)),
        call("a zone's subnets", "describe_subnets",
             lambda s: ours(s, ("availability-zone", ZONES[1]))),
        call("a VPC's route tables", "describe_route_tables",
             lambda s: dict(ours(s), MaxResults=100)),
        call("a route table by its id", "describe_route_tables", table),
        call("the main route table", "describe_route_tables",
             lambda s: ours(s, ("association.main", "true"))),
        call("route tables by a route's destination", "describe_route_tables",
             lambda s: ours(s, ("route.destination-cidr-block", VIP))),
        call("zones by name", "describe_availability_zones", {"ZoneNames": ZONES}),
        call("zones by filter", "describe_availability_zones",
             {"Filters": having(("zone-name", *ZONES[:2]), ("state", "available"))}),
        call("an interface by its id", "describe_network_interfaces",
             lambda s: {"NetworkInterfaceIds": [s["eni-vip-a"]]}),
        call("interfaces by their instance", "describe_network_interfaces",
             lambda s: {"Filters": having(("attachment.instance-id", s["vip-a"]))}),
        call("interfaces by their address", "describe_network_interfaces",
             lambda s: ours(s, ("private-ip-address", "172.31.48.10"))),
        call("an image by its id", "describe_images", lambda s: {"ImageIds": [s["image"]]}),
        call("a key pair by its name", "describe_key_pairs", lambda s: {"KeyNames": [s["key"]]}),
        call("key pairs by filter", "describe_key_pairs",
             lambda s: {"Filters": having(("key-name", s["key"]))}),
        call("a security group by its id", "describe_security_groups",
             lambda s: {"GroupIds": [s["group"]]}),
        call("security groups by filter, one unknown", "describe_security_groups",
             lambda s: {"Filters": having(("group-id", s["group"], UNKNOWN["security group"]))}),
        call("a VPC's network ACLs", "describe_network_acls", ours),
        call("network ACLs of subnets", "describe_network_acls",
             lambda s: ours(s, ("association.subnet-id", s["subnet-a"], s["subnet-c"]))),
        call("an instance by its id", "describe_instances",
             lambda s: {"InstanceIds": [s["vip-a"]]}),
        call("an instance with a role", "describe_instances",
             lambda s: {"InstanceIds": [s["monitor"]]}),
        call("instances by name and state", "describe_instances",
             {"Filters": having(("tag:Name", "vip-?", "nobody"),
                                ("instance-state-name", "running"))}),
        call("instances by VPC and zone", "describe_instances",
             lambda s: ours(s, ("availability-zone", ZONES[0]))),
        call("no instance fits", "describe_instances", {"Filters": having(("tag:Name", "nobody"))}),
        call("the status of an instance", "describe_instance_status",
             lambda s: {"InstanceIds": [s["vip-a"]], "IncludeAllInstances": True}),
        call("an instance's tags", "describe_tags",
             lambda s: {"Filters": having(("resource-id", s["vip-a"]))}),
        call("an instance's credit option", "describe_instance_credit_specifications",
             lambda s: {"InstanceIds": [s["vip-a"]]}),
        call("where a type is offered", "describe_instance_type_offerings",
             {"LocationType": "availability-zone",
              "Filters": having(("instance-type", "t3.micro"), ("location", ZONES[0]))}),
        call("what a type has", "describe_instance_types", {"InstanceTypes": ["m5d.large"]}),
        call("a type that isn't there", "describe_instance_types", {"InstanceTypes": ["x9.huge"]}),
        call("no elastic addresses", "describe_addresses", {}),
        call("no spot requests", "describe_spot_instance_requests", {}),
    ]


def launching():
    attributes = [
        "userData", "instanceInitiatedShutdownBehavior", "disableApiTermination",
        "disableApiStop", "sourceDestCheck", "groupSet", "instanceType", "rootDeviceName",
        "ebsOptimized", "blockDeviceMapping",
    ]
    return [
        call("a launch that is only asked about", "run_instances",
             lambda s: launch(s, DryRun=True)),
        call("a launch as rehome sends it", "run_instances", launch, keep_launched),
        call("the launched one runs", "describe_instances", about),
        call("the launched one by its token", "describe_instances",
             lambda s: {"Filters": having(("client-token", TOKEN)), "MaxResults": 1000}),
        call("the launched one by tag and VPC", "describe_instances",
             lambda s: {"Filters": having(("tag:rehome:vip", "10.0.0.10"), ("vpc-id", s["vpc"]))}),
        call("its volume", "describe_volumes",
             lambda s: {"Filters": having(("attachment.instance-id", s["new"]))}, keep_volume),
        call("its volume by its id", "describe_volumes", lambda s: {"VolumeIds": [s["volume"]]}),
        call("its volume by filter", "describe_volumes",
             lambda s: {"Filters": having(("volume-id", s["volume"]))}),
        call("its interface", "describe_network_interfaces",
             lambda s: {"NetworkInterfaceIds": [s["eni-new"]]}),
        call("its subnet has an address less", "describe_subnets",
             lambda s: {"SubnetIds": [s["subnet-b"]]}),
        call("the same token again", "run_instances", launch, clean=away),
        call("the same token for another type", "run_instances",
             lambda s: launch(s, InstanceType="t3.small"), clean=away),
        *[
            call("its attribute " + name, "describe_instance_attribute",
                 lambda s, name=name: {"InstanceId": s["new"], "Attribute": name})
            for name in attributes
        ],
    ]


def paging():
    # Before anything else is launched: on a page, one must be like the other.
    fleet = {"Filters": having(("tag:Fleet", "fleet")), "MaxResults": 5}
    return [
        *[
            call("number %d of a fleet" % number, "run_instances",
                 lambda s: small(s, "fleet"), keep_more)
            for number in range(1, FLEET + 1)
        ],
        call("a first page", "describe_instances", fleet, keep_page),
        call("the last page", "describe_instances", lambda s: dict(fleet, NextToken=s["page"][0])),
        call("two at once", "run_instances", lambda s: small(s, "two", 2), keep_more),
        call("the two", "describe_instances", {"Filters": having(("tag:Fleet", "two"))}),
        call("the status of several", "describe_instance_status",
             lambda s: {"InstanceIds": s["fleet"]}),
        call("a first page of statuses", "describe_instance_status",
             {"Filters": having(("availability-zone", ZONES[1]),
                                ("instance-state-name", "running")), "MaxResults": 5}),
        call("the fleet goes", "terminate_instances", lambda s: {"InstanceIds": s["fleet"]}),
        call("the fleet has gone", "describe_instances",
             {"Filters": having(("tag:Fleet", "fleet", "two"),
                                ("instance-state-name", "pending", "running"))}),
    ]


def routing():
    old = lambda s: {"NetworkInterfaceId": s["eni-vip-a"]}
    back = lambda s, _: s.ec2.replace_route(**route(s, VIP, InstanceId=s["vip-a"]))
    again = lambda s, _: s.ec2.replace_route(**route(s, OTHER, **to_new(s)))
    return [
        call("the source/dest check goes off", "modify_network_interface_attribute",
             lambda s: dict(to_new(s), SourceDestCheck={"Value": False})),
        call("the check is off", "describe_network_interfaces",
             lambda s: {"NetworkInterfaceIds": [s["eni-new"]]}),
        call("the check is off on the instance too", "describe_instances", about),
        call("a route moves", "replace_route", lambda s: route(s, VIP, **to_new(s))),
        call("the route has moved", "describe_route_tables", table),
        call("a route moves to an instance", "replace_route",
             lambda s: route(s, VIP, InstanceId=s["vip-a"])),
        call("the route has moved to the instance", "describe_route_tables", table),
        call("a move that is only asked about", "replace_route",
             lambda s: route(s, VIP, DryRun=True, **to_new(s)), clean=back),
        call("a route that isn't there can't move", "replace_route",
             lambda s: route(s, NOWHERE, **to_new(s))),
        call("a route that is only asked about", "create_route",
             lambda s: route(s, OTHER, DryRun=True, **to_new(s)), clean=without(OTHER)),
        call("a route comes", "create_route", lambda s: route(s, OTHER, **to_new(s))),
        call("the route has come", "describe_route_tables", table),
        call("the same route comes again", "create_route",
             lambda s: route(s, OTHER, **to_new(s))),
        call("the same route comes again, to another", "create_route",
             lambda s: route(s, OTHER, **old(s)), clean=again),
        call("the same route comes again, to the internet", "create_route",
             lambda s: route(s, OTHER, GatewayId=s["gateway"])),
        call("a route goes", "delete_route", lambda s: route(s, OTHER)),
        call("the route has gone", "describe_route_tables", table),
        call("a route that isn't there can't go", "delete_route", lambda s: route(s, OTHER)),
        call("a route inside the VPC's block", "create_route",
             lambda s: route(s, INSIDE, **to_new(s)), clean=without(INSIDE)),
        call("a route with an untidy destination", "create_route",
             lambda s: route(s, UNTIDY, **to_new(s))),
        call("the destination has been tidied", "describe_route_tables", table),
        call("the tidied route goes", "delete_route", lambda s: route(s, TIDY),
             clean=without(UNTIDY)),
        call("a destination that is none", "create_route",
             lambda s: route(s, NONE, **to_new(s)), clean=without(NONE)),
        call("a route in an unknown table", "create_route",
             lambda s: dict(route(s, OTHER, **to_new(s)), RouteTableId=UNKNOWN["route table"])),
        call("a move in an unknown table", "replace_route",
             lambda s: dict(route(s, VIP, **to_new(s)), RouteTableId=UNKNOWN["route table"])),
        call("a route goes from an unknown table", "delete_route",
             lambda s: dict(route(s, VIP), RouteTableId=UNKNOWN["route table"])),
        call("a route to an unknown interface", "create_route",
             lambda s: route(s, OTHER, NetworkInterfaceId=UNKNOWN["interface"])),
        call("a move to an unknown interface", "replace_route",
             lambda s: route(s, VIP, NetworkInterfaceId=UNKNOWN["interface"]), clean=back),
        call("a move to an unknown instance", "replace_route",
             lambda s: route(s, VIP, InstanceId=UNKNOWN["instance"]), clean=back),
        call("a route to an unknown gateway", "create_route",
             lambda s: route(s, OTHER, GatewayId=UNKNOWN["gateway"])),
        call("a route without a destination", "create_route",
             lambda s: dict(RouteTableId=s["table"], **to_new(s)),
             clean=lambda s, _: s.ec2.delete_route(RouteTableId=s["table"])),
        call("a route without a target", "create_route", lambda s: route(s, NOWHERE),
             clean=without(NOWHERE)),
        call("a move without a table", "replace_route",
             lambda s: dict(DestinationCidrBlock=VIP, **to_new(s))),
        call("after all this the table is as it was", "describe_route_tables", table),
    ]


def living():
    whole = lambda s: dict(about(s), IncludeAllInstances=True)
    change = lambda s, **what: dict(InstanceId=s["new"], **what)
    return [
        call("a stop that is only asked about", "stop_instances",
             lambda s: dict(about(s), DryRun=True)),
        call("it stops", "stop_instances", lambda s: dict(about(s), Force=True)),
        call("it is stopped", "describe_instances", about),
        call("the status of what is stopped", "describe_instance_status", whole),
        call("what is stopped has no status unless asked", "describe_instance_status", about),
        call("it stops once more", "stop_instances", about),
        call("what is stopped can't reboot", "reboot_instances", about,
             clean=lambda s, _: s.ec2.stop_instances(**about(s))),
        call("it becomes another type", "modify_instance_attribute",
             lambda s: change(s, InstanceType={"Value": "t3.small"})),
        call("it starts", "start_instances", about),
        call("it runs again", "describe_instances", about),
        call("it starts once more", "start_instances", about),
        call("it reboots", "reboot_instances", about),
        call("it runs after the reboot", "describe_instances", about),
        call("what runs becomes no other type", "modify_instance_attribute",
             lambda s: change(s, InstanceType={"Value": "t3.micro"}),
             clean=lambda s, _: s.ec2.modify_instance_attribute(
                 **change(s, InstanceType={"Value": "t3.small"}))),
        call("it is protected", "modify_instance_attribute",
             lambda s: change(s, DisableApiTermination={"Value": True})),
        call("the protection shows", "describe_instance_attribute",
             lambda s: change(s, Attribute="disableApiTermination")),
        call("what is protected stays", "terminate_instances", about),
        call("it is protected no more", "modify_instance_attribute",
             lambda s: change(s, DisableApiTermination={"Value": False})),
        call("it gets tags", "create_tags",
             lambda s: {
                 "Resources": [s["new"]],
                 "Tags": [{"Key": "Stage", "Value": "last"}, {"Key": "Empty", "Value": ""}],
             }),
        call("the tags show", "describe_instances", about),
        call("a tag with another value stays", "delete_tags",
             lambda s: {"Resources": [s["new"]], "Tags": [{"Key": "Stage", "Value": "first"}]}),
        call("a tag goes", "delete_tags",
             lambda s: {"Resources": [s["new"]], "Tags": [{"Key": "Empty"}]}),
        call("the tags that are left", "describe_tags",
             lambda s: {"Filters": having(("resource-id", s["new"]))}),
        call("its interface gets a description", "modify_network_interface_attribute",
             lambda s: dict(to_new(s), Description={"Value": "moved"})),
        call("its interface gets groups", "modify_network_interface_attribute",
             lambda s: dict(to_new(s), Groups=[s["group"]])),
        call("its interface has them", "describe_network_interfaces",
             lambda s: {"NetworkInterfaceIds": [s["eni-new"]]}),
        call("a termination that is only asked about", "terminate_instances",
             lambda s: dict(about(s), DryRun=True)),
        call("a route to what is going to be terminated", "create_route",
             lambda s: route(s, OTHER, **to_new(s))),
        call("it is terminated", "terminate_instances", about),
        call("what a terminated one tells", "describe_instances", about),
        call("the status of what is terminated", "describe_instance_status", whole),
        call("the route to what is terminated", "describe_route_tables", table),
        call("the terminated one's interface is gone", "describe_network_interfaces",
             lambda s: {"NetworkInterfaceIds": [s["eni-new"]]}),
        call("the terminated one's volume is gone", "describe_volumes",
             lambda s: {"VolumeIds": [s["volume"]]}),
        call("the route to what is terminated goes", "delete_route", lambda s: route(s, OTHER)),
        call("it is terminated once more", "terminate_instances", about),
        call("the token of what is terminated", "run_instances", launch, clean=away),
        call("what is terminated can't stop", "stop_instances", about),
        call("what is terminated can't reboot", "reboot_instances", about),
        call("what is terminated can't start", "start_instances", about),
    ]


def refusing():
    lists = [
        ("instance", "describe_instances", "InstanceIds"),
        ("instance", "describe_instance_status", "InstanceIds"),
        ("VPC", "describe_vpcs", "VpcIds"),
        ("subnet", "describe_subnets", "SubnetIds"),
        ("route table", "describe_route_tables", "RouteTableIds"),
        ("interface", "describe_network_interfaces", "NetworkInterfaceIds"),
        ("security group", "describe_security_groups", "GroupIds"),
        ("volume", "describe_volumes", "VolumeIds"),
        ("image", "describe_images", "ImageIds"),
        ("network ACL", "describe_network_acls", "NetworkAclIds"),
        ("key pair", "describe_key_pairs", "KeyPairIds"),
        ("instance", "start_instances", "InstanceIds"),
        ("instance", "stop_instances", "InstanceIds"),
        ("instance", "reboot_instances", "InstanceIds"),
        ("instance", "terminate_instances", "InstanceIds"),
    ]
    calls = []
    for thing, action, ids in lists:
        calls.append(call("%s: an unknown %s" % (action, thing), action, {ids: [UNKNOWN[thing]]}))
        calls.append(call("%s: no id of one %s" % (action, thing), action, {ids: ["nonsense"]}))
    filtered = dict.fromkeys(action for _, action, _ in lists if action.startswith("describe"))
    for action in [*filtered, "describe_availability_zones"]:
        calls.append(call(action + ": an unknown filter", action,
                          {"Filters": having(("no-such-filter", "x"))}))
    for action in ["start", "stop", "reboot", "terminate"]:
        calls.append(call("%s_instances: none named" % action, action + "_instances", {}))
    return calls + bad_reads() + bad_changes() + bad_launches()


def bad_reads():
    return [
        call("one of two is unknown", "describe_instances",
             lambda s: {"InstanceIds": [s["vip-a"], UNKNOWN["instance"]]}),
        call("an unknown zone", "describe_availability_zones", {"ZoneNames": ["us-east-1x"]}),
        call("an unknown key name", "describe_key_pairs", {"KeyNames": ["nobodys"]}),
        call("ids and a page size", "describe_instances",
             lambda s: {"InstanceIds": [s["vip-a"]], "MaxResults": 5}),
        call("ids and a page size, for statuses", "describe_instance_status",
             lambda s: {"InstanceIds": [s["vip-a"]], "MaxResults": 5}),
        call("a page size below five", "describe_instances", {"MaxResults": 4}),
        call("a page token that nobody gave", "describe_instances",
             {"MaxResults": 5, "NextToken": "made-up"}),
        call("an attribute of an unknown instance", "describe_instance_attribute",
             {"InstanceId": UNKNOWN["instance"], "Attribute": "userData"}),
        call("an attribute that there isn't", "describe_instance_attribute",
             lambda s: {"InstanceId": s["vip-a"], "Attribute": "shoeSize"}),
        call("no attribute named", "describe_instance_attribute",
             lambda s: {"InstanceId": s["vip-a"]}),
        call("a reading that is only asked about", "describe_instances", {"DryRun": True}),
    ]


def bad_changes():
    twice = [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]
    once = twice[:1]
    on_vip_a = lambda s: {"NetworkInterfaceId": s["eni-vip-a"]}
    check_off = {"SourceDestCheck": {"Value": False}}
    return [
        call("one of two is unknown and none stops", "stop_instances",
             lambda s: {"InstanceIds": [s["vip-a"], UNKNOWN["instance"]]}),
        call("the other of the two runs", "describe_instance_status",
             lambda s: {"InstanceIds": [s["vip-a"]]}),
        call("a reboot that is only asked about", "reboot_instances",
             lambda s: {"InstanceIds": [s["vip-a"]], "DryRun": True}),
        call("an unknown interface changes", "modify_network_interface_attribute",
             dict(NetworkInterfaceId=UNKNOWN["interface"], **check_off)),
        call("an interface gets an unknown group", "modify_network_interface_attribute",
             lambda s: dict(on_vip_a(s), Groups=[UNKNOWN["security group"]]),
             clean=lambda s, _: s.ec2.modify_network_interface_attribute(
                 Groups=[s["group"]], **on_vip_a(s))),
        call("an interface changes in no way", "modify_network_interface_attribute", on_vip_a),
        call("an interface's change that is only asked about",
             "modify_network_interface_attribute",
             lambda s: dict(on_vip_a(s), DryRun=True, **check_off)),
        call("an unknown instance changes", "modify_instance_attribute",
             {"InstanceId": UNKNOWN["instance"], "DisableApiTermination": {"Value": True}}),
        call("an unknown thing gets a tag", "create_tags",
             {"Resources": [UNKNOWN["instance"]], "Tags": once}),
        call("what is no id gets a tag", "create_tags", {"Resources": ["nonsense"], "Tags": once}),
        call("an unknown thing loses a tag", "delete_tags",
             {"Resources": [UNKNOWN["instance"]], "Tags": [{"Key": "a"}]}),
        call("a tag of Amazon's", "create_tags",
             lambda s: {"Resources": [s["vip-a"]], "Tags": [{"Key": "aws:a", "Value": "b"}]}),
        call("a tag twice", "create_tags", lambda s: {"Resources": [s["vip-a"]], "Tags": twice}),
        call("tags that are only asked about", "create_tags",
             lambda s: {"Resources": [s["vip-a"]], "Tags": once, "DryRun": True}),
        call("no tags", "create_tags", lambda s: {"Resources": [s["vip-a"]]}),
        call("nothing to tag", "create_tags", {"Tags": once}),
        call("the local route can't go", "delete_route", lambda s: route(s, "172.31.0.0/16")),
    ]


def bad_launches():
    tag = lambda kind, *keys: [
        {"ResourceType": kind, "Tags": [{"Key": key, "Value": "x"} for key in keys]}
    ]
    wrong = {
        "an unknown image": lambda s: {"ImageId": UNKNOWN["image"]},
        "no id of an image": lambda s: {"ImageId": "nonsense"},
        "no image": lambda s: {"ImageId": None},
        "an unknown type": lambda s: {"InstanceType": "t9.enormous"},
        "an unknown key": lambda s: {"KeyName": "nobodys"},
        "an unknown subnet": lambda s: {
            "NetworkInterfaces": [interface(s, SubnetId=UNKNOWN["subnet"])]
        },
        "an unknown group": lambda s: {
            "NetworkInterfaces": [interface(s, Groups=[UNKNOWN["security group"]])]
        },
        "an unknown profile": lambda s: {"IamInstanceProfile": {"Arn": s["profile"] + "s"}},
        "a subnet beside the interface": lambda s: {"SubnetId": s["subnet-b"]},
        "groups beside the interface": lambda s: {"SecurityGroupIds": [s["group"]]},
        "no least count": lambda s: {"MinCount": None},
        "a least count above the most": lambda s: {"MinCount": 2},
        "a token that is too long": lambda s: {"ClientToken": "t" * 65},
        "user data that is too long": lambda s: {"UserData": "#" * 16385},
        "an address that is taken": lambda s: {
            "NetworkInterfaces": [
                interface(s, SubnetId=s["subnet-a"], PrivateIpAddress="172.31.48.10")
            ]
        },
        "an address of another subnet": lambda s: {
            "NetworkInterfaces": [interface(s, PrivateIpAddress="172.31.48.77")]
        },
        "a tag on something else": lambda s: {"TagSpecifications": tag("dog", "a")},
        "a tag twice": lambda s: {"TagSpecifications": tag("instance", "a", "a")},
    }
    return [
        call("a launch with " + name, "run_instances",
             lambda s, name=name, changes=changes: launch(s, **{"ClientToken": name, **changes(s)}),
             clean=away)
        for name, changes in wrong.items()
    ]


def story():
    return reading() + paging() + launching() + routing() + living() + refusing()
