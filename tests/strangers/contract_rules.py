"""The calls about security groups and network ACLs, for contract.py; see contract_calls.py."""

from contract_calls import UNKNOWN, call, having

OVERLAY = "10.0.0.100/32"
UNTIDY, TIDY = "10.0.5.5/24", "10.0.5.0/24"
UNKNOWN_RULE = "sgr-0123456789abcdef0"


def permission(protocol, ports=None, *blocks, groups=()):
    """A permission for IpPermissions."""
    made = {"IpProtocol": protocol}
    if ports:
        made["FromPort"], made["ToPort"] = ports
    if blocks:
        made["IpRanges"] = [{"CidrIp": block} for block in blocks]
    if groups:
        made["UserIdGroupPairs"] = [{"GroupId": group} for group in groups]
    return made


PINGS = permission("icmp", (-1, -1), OVERLAY)
ECHO = permission("icmp", (8, -1), "172.31.16.0/20")
SSH = permission("tcp", (22, 22), "10.0.0.0/8")
EVERYTHING = permission("-1", None, "0.0.0.0/0")


def on(thing, *permissions, **more):
    return lambda s: dict(GroupId=s[thing], IpPermissions=list(permissions), **more)


def keep(name, *path):
    """Notes what stands at this place of an answer."""

    def note(s, answer):
        for step in path:
            answer = answer[step]
        s[name] = answer

    return note


def undo(**call_of):
    """Takes back on moto what EC2 would have refused."""
    (action, parameters), = call_of.items()
    return lambda s, _: getattr(s.ec2, action)(**parameters(s))


def groups():
    about = lambda s: {"GroupIds": [s["web"]]}
    ours = lambda s: {"Filters": having(("group-id", s["web"]))}
    made = lambda s, **changes: dict(
        {"GroupName": "web", "Description": "of a test", "VpcId": s["vpc"]}, **changes
    )
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "web"}]}]
    authorize, revoke = "authorize_security_group_ingress", "revoke_security_group_ingress"
    let_out, keep_in = "authorize_security_group_egress", "revoke_security_group_egress"
    takes = lambda *permissions: undo(revoke_security_group_ingress=on("web", *permissions))

    def tidy(s, _):
        """What moto took as it came, in the form that EC2 would have brought it to."""
        for action, block in (revoke, UNTIDY), (authorize, TIDY):
            getattr(s.ec2, action)(**on("web", permission("udp", (53, 53), block))(s))

    def make_again(s, _):
        s["web"] = s.ec2.create_security_group(**made(s))["GroupId"]

    from_own = lambda s: on("web", permission("-1", groups=[s["web"]]))(s)
    from_holders = lambda s: on("web", permission("-1", groups=[s["group"]]))(s)
    return [
        call("a group that is only asked about", "create_security_group",
             lambda s: made(s, DryRun=True)),
        call("a group is made", "create_security_group",
             lambda s: made(s, TagSpecifications=tags), keep("web", "GroupId")),
        call("the new group", "describe_security_groups", about),
        call("the same group again", "create_security_group", made),
        call("a group with a reserved name", "create_security_group",
             lambda s: made(s, GroupName="default")),
        call("a group with an id for a name", "create_security_group",
             lambda s: made(s, GroupName="sg-web"), keep("odd", "GroupId"),
             undo(delete_security_group=lambda s: {"GroupName": "sg-web"})),
        call("a group without a name", "create_security_group", lambda s: made(s, GroupName="")),
        call("a group without a description", "create_security_group",
             lambda s: {"GroupName": "mute", "VpcId": s["vpc"]}),
        call("a group in an unknown VPC", "create_security_group",
             lambda s: made(s, GroupName="far", VpcId=UNKNOWN["VPC"])),
        call("pings from an address are admitted", authorize, on("web", PINGS),
             keep("rule", "SecurityGroupRules", 0, "SecurityGroupRuleId")),
        call("a rule that is there already", authorize, on("web", PINGS)),
        call("all from a group is admitted", authorize, from_own),
        call("all from a group that has others is admitted", authorize, from_holders),
        call("several rules at once", authorize, on("web", ECHO, SSH)),
        call("a block that isn't canonical", authorize,
             on("web", permission("udp", (53, 53), UNTIDY)), clean=tidy),
        call("the group with its rules", "describe_security_groups", about),
        call("its rules one by one", "describe_security_group_rules", ours),
        call("a rule by its id", "describe_security_group_rules",
             lambda s: {"SecurityGroupRuleIds": [s["rule"]]}),
        call("an unknown rule", "describe_security_group_rules",
             {"SecurityGroupRuleIds": [UNKNOWN_RULE]}),
        call("groups by what they admit", "describe_security_groups",
             lambda s: {"Filters": having(("vpc-id", s["vpc"]), ("ip-permission.cidr", OVERLAY))}),
        call("groups by whom they admit", "describe_security_groups",
             lambda s: {"Filters": having(("ip-permission.group-id", s["group"]),
                                          ("group-name", "web"))}),
        call("a rule that is only asked about", authorize,
             on("web", permission("tcp", (443, 443), OVERLAY), DryRun=True)),
        call("a rule twice in one call", authorize,
             on("web", permission("tcp", (80, 80), OVERLAY, OVERLAY)),
             clean=takes(permission("tcp", (80, 80), OVERLAY))),
        call("TCP without ports", authorize, on("web", permission("tcp", None, OVERLAY))),
        call("ICMP without type and code", authorize, on("web", permission("icmp", None, OVERLAY))),
        call("a port that is none", authorize,
             on("web", permission("tcp", (0, 65536), OVERLAY)),
             clean=takes(permission("tcp", (0, 65536), OVERLAY))),
        call("a code that is none", authorize, on("web", permission("icmp", (0, 65535), OVERLAY)),
             clean=takes(permission("icmp", (0, 65535), OVERLAY))),
        call("a protocol that is none", authorize,
             on("web", permission("smtp", (25, 25), OVERLAY)),
             clean=takes(permission("smtp", (25, 25), OVERLAY))),
        call("a block that is none", authorize, on("web", permission("-1", None, "10.0.0.999/32"))),
        call("an unknown group is admitted", authorize,
             on("web", permission("-1", groups=[UNKNOWN["security group"]])),
             clean=takes(permission("-1", groups=[UNKNOWN["security group"]]))),
        call("an unknown group admits", authorize,
             {"GroupId": UNKNOWN["security group"], "IpPermissions": [PINGS]}),
        call("no rule at all", authorize, on("web")),
        call("a group may send less", keep_in, on("web", EVERYTHING)),
        call("a group may send pings", let_out, on("web", PINGS)),
        call("a group that may send", "describe_security_groups", about),
        call("a rule goes", revoke, on("web", SSH)),
        call("a rule that isn't there can't go", revoke, on("web", SSH)),
        call("a rule goes by its id", revoke,
             lambda s: {"GroupId": s["web"], "SecurityGroupRuleIds": [s["rule"]]}),
        call("an unknown rule can't go", revoke,
             lambda s: {"GroupId": s["web"], "SecurityGroupRuleIds": [UNKNOWN_RULE]}),
        call("the rules that are left", "describe_security_groups", about),
        call("an interface gets the group", "modify_network_interface_attribute",
             lambda s: {"NetworkInterfaceId": s["eni-vip-a"], "Groups": [s["web"]]}),
        call("another protocol by its number", authorize,
             on("web", permission("50", None, "10.0.0.0/8"))),
        call("what is worn stays", "delete_security_group", lambda s: {"GroupId": s["web"]},
             clean=make_again),
        call("the interface gets its own group back", "modify_network_interface_attribute",
             lambda s: {"NetworkInterfaceId": s["eni-vip-a"], "Groups": [s["group"]]}),
        call("a group goes", "delete_security_group", lambda s: {"GroupId": s["web"]}),
        call("a group that has gone", "describe_security_groups", about),
        call("a group goes once more", "delete_security_group", lambda s: {"GroupId": s["web"]}),
        call("a default group stays", "delete_security_group", lambda s: {"GroupName": "default"}),
        call("no group goes", "delete_security_group", {}),
    ]


def acls():
    created, replaced = "create_network_acl_entry", "replace_network_acl_entry"
    deleted = "delete_network_acl_entry"
    about = lambda s: {"NetworkAclIds": [s["acl"]]}

    def entry(number=90, **changes):
        plain = {
            "RuleNumber": number, "Protocol": "1", "RuleAction": "deny", "Egress": False,
            "CidrBlock": "10.0.0.0/24", "IcmpTypeCode": {"Type": -1, "Code": -1},
        }
        plain.update(changes)
        plain = {name: value for name, value in plain.items() if value is not None}
        return lambda s: dict(NetworkAclId=s["acl"], **plain)

    def deny_all(s, _):
        """The last entries of a new ACL, which moto leaves out."""
        for egress in (True, False):
            s.ec2.create_network_acl_entry(**entry(
                32767, Egress=egress, Protocol="-1", CidrBlock="0.0.0.0/0", IcmpTypeCode=None
            )(s))

    place = lambda number=90, egress=False: lambda s: {
        "NetworkAclId": s["acl"], "RuleNumber": number, "Egress": egress
    }
    goes = lambda number: undo(delete_network_acl_entry=place(number))
    ports = {"Protocol": "6", "IcmpTypeCode": None, "PortRange": {"From": 1024, "To": 65535}}
    tags = [{"ResourceType": "network-acl", "Tags": [{"Key": "Name", "Value": "web"}]}]
    mine = lambda s: {"Filters": having(("association.subnet-id", s["subnet-a"]))}

    def keep_place(s, answer):
        of_a = [a for a in answer["NetworkAcls"][0]["Associations"]
                if a["SubnetId"] == s["subnet-a"]]
        s["place"] = of_a[0]["NetworkAclAssociationId"]
        s["default-acl"] = answer["NetworkAcls"][0]["NetworkAclId"]

    move = lambda to: lambda s: {"AssociationId": s["place"], "NetworkAclId": s[to]}
    return [
        call("an ACL is made", "create_network_acl",
             lambda s: {"VpcId": s["vpc"], "TagSpecifications": tags},
             keep("acl", "NetworkAcl", "NetworkAclId"), deny_all),
        call("the new ACL denies everything", "describe_network_acls", about),
        call("an ACL in an unknown VPC", "create_network_acl", {"VpcId": UNKNOWN["VPC"]}),
        call("an entry comes", created, entry()),
        call("the same number again", created, entry()),
        call("the same number the other way", created, entry(Egress=True)),
        call("an entry with ports", created, entry(80, RuleAction="allow", **ports)),
        call("an ACL with entries", "describe_network_acls", about),
        call("an entry is replaced", replaced, entry(RuleAction="allow")),
        call("an entry that isn't there can't be replaced", replaced, entry(91)),
        call("the entry has been replaced", "describe_network_acls", about),
        call("an entry that is only asked about", created, entry(70, DryRun=True),
             clean=goes(70)),
        call("number 0", created, entry(0), clean=goes(0)),
        call("the last number", created, entry(32767)),
        call("TCP without a range", created, entry(60, Protocol="6", IcmpTypeCode=None),
             clean=goes(60)),
        call("an entry without a block", created, entry(60, CidrBlock=None), clean=goes(60)),
        call("an entry with a block that is none", created, entry(60, CidrBlock="nowhere"),
             clean=goes(60)),
        call("an entry that does nothing", created, entry(60, RuleAction="drop"),
             clean=goes(60)),
        call("an entry of an unknown ACL", created,
             lambda s: dict(entry()(s), NetworkAclId=UNKNOWN["network ACL"])),
        call("an entry goes", deleted, place()),
        call("an entry that isn't there can't go", deleted, place()),
        call("the ACL of a subnet", "describe_network_acls", mine, keep_place),
        call("a subnet gets another ACL", "replace_network_acl_association", move("acl"),
             keep("place", "NewAssociationId")),
        call("the subnet has another ACL", "describe_network_acls", mine),
        call("an ACL before a subnet stays", "delete_network_acl",
             lambda s: {"NetworkAclId": s["acl"]}),
        call("an unknown place of an ACL", "replace_network_acl_association",
             lambda s: {"AssociationId": "aclassoc-0123456789abcdef0", "NetworkAclId": s["acl"]}),
        call("the subnet gets its ACL back", "replace_network_acl_association",
             move("default-acl"), keep("place", "NewAssociationId")),
        call("an ACL goes", "delete_network_acl", lambda s: {"NetworkAclId": s["acl"]}),
        call("an ACL goes once more", "delete_network_acl", lambda s: {"NetworkAclId": s["acl"]}),
        call("a default ACL stays", "delete_network_acl",
             lambda s: {"NetworkAclId": s["default-acl"]}),
    ]


def rules():
    return groups() + acls()
