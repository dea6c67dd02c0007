"""IAM in small: whether a policy allows a call, by what the call is about.

`asked` says which permissions EC2 asks for when it gets a call: action, resource and context, as
AWS's Service Authorization Reference has them for the calls that rehome makes. `allows` looks for a
statement that grants one. Nothing here is a guess in the caller's favor: a condition whose key isn't
in the context isn't met, an action that isn't known raises.
"""

import collections
import fnmatch

Asked = collections.namedtuple("Asked", "action resource context")

# Those that take no resource, and so are for `*`.
LISTINGS = {
    "DescribeAvailabilityZones", "DescribeImages", "DescribeInstanceCreditSpecifications",
    "DescribeInstanceStatus", "DescribeInstanceTypeOfferings", "DescribeInstanceTypes",
    "DescribeInstances", "DescribeSpotInstanceRequests",
    "DescribeKeyPairs", "DescribeNetworkAcls", "DescribeNetworkInterfaces",
    "DescribePlacementGroups", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeSubnets",
    "DescribeVolumes", "DescribeVpcs",
}
# Needs no permission.
FREE = {"GetCallerIdentity"}
# The resource that a change is about.
OF = {
    "CreateRoute": ("route-table", "RouteTableId"),
    "ReplaceRoute": ("route-table", "RouteTableId"),
    "DeleteRoute": ("route-table", "RouteTableId"),
    "DescribeInstanceAttribute": ("instance", "InstanceId"),
    "ModifyNetworkInterfaceAttribute": ("network-interface", "NetworkInterfaceId"),
    "StopInstances": ("instance", "InstanceId.1"),
    "TerminateInstances": ("instance", "InstanceId.1"),
}


class Account:
    """Where calls are made, and the tags of what is there."""

    def __init__(self, region, number):
        self.region = region
        self.number = number
        self.tags = {}
        # What is inside the instance profiles, by the profile's ARN.
        self.roles = {}

    def arn(self, kind, name):
        owner = "" if kind == "image" else self.number
        return "arn:aws:ec2:%s:%s:%s/%s" % (self.region, owner, kind, name)

    def asked(self, form):
        """The permissions that a call takes."""
        action = form["Action"]
        context = {"aws:RequestedRegion": self.region}
        if action in FREE:
            return []
        if action in LISTINGS:
            return [Asked("ec2:" + action, "*", context)]
        if action == "RunInstances":
            return self._launch(form, context)
        kind, parameter = OF[action]
        name = form[parameter]
        for key, value in self.tags.get(name, {}).items():
            context["aws:ResourceTag/" + key] = value
        return [Asked("ec2:" + action, self.arn(kind, name), context)]

    def _launch(self, form, context):
        tags = {}
        for number in _members(form, "TagSpecification"):
            below = "TagSpecification.%d" % number
            tags[form[below + ".ResourceType"]] = {
                form["%s.Tag.%d.Key" % (below, tag)]: form["%s.Tag.%d.Value" % (below, tag)]
                for tag in _members(form, below + ".Tag")
            }
        asked = []
        for kind in ("instance", "network-interface", "volume"):
            of_request = {"aws:RequestTag/" + k: v for k, v in tags.get(kind, {}).items()}
            more = {}
            if kind == "instance":
                more["ec2:InstanceType"] = form["InstanceType"]
                more["ec2:MetadataHttpTokens"] = form.get("MetadataOptions.HttpTokens", "optional")
            everything = self.arn(kind, "*")
            whole = {**context, **of_request, **more}
            asked.append(Asked("ec2:RunInstances", everything, whole))
            if kind in tags:
                whole = {**context, **of_request, "ec2:CreateAction": "RunInstances"}
                asked.append(Asked("ec2:CreateTags", everything, whole))
        interface = "NetworkInterface.1."
        groups = interface + "SecurityGroupId"
        named = [("image", form["ImageId"]), ("subnet", form[interface + "SubnetId"])]
        named += [
            ("security-group", form["%s.%d" % (groups, n)]) for n in _members(form, groups)
        ]
        named += [("key-pair", form["KeyName"])] if "KeyName" in form else []
        group = form.get("Placement.GroupName")
        named += [("placement-group", group)] if group else []
        asked += [Asked("ec2:RunInstances", self.arn(*thing), context) for thing in named]
        profile = form.get("IamInstanceProfile.Arn")
        if profile:
            passed = {"iam:PassedToService": "ec2.amazonaws.com"}
            asked.append(Asked("iam:PassRole", self.roles[profile], passed))
        return asked


def _members(form, name):
    below = (key[len(name) + 1:].split(".")[0] for key in form if key.startswith(name + "."))
    return sorted({int(part) for part in below if part.isdigit()})


def allows(statements, asked):
    """The name of the first statement that allows it, or None."""
    for statement in statements:
        if statement["Effect"] != "Allow":
            raise ValueError("a statement that doesn't allow: %s" % statement["Sid"])
        if any(fnmatch.fnmatchcase(asked.action, one) for one in statement["Action"]) and any(
            fnmatch.fnmatchcase(asked.resource, one) for one in statement["Resource"]
        ):
            if _met(statement.get("Condition", {}), asked.context):
                return statement["Sid"]
    return None


def _met(conditions, context):
    for operator, keys in conditions.items():
        if operator not in ("StringEquals", "Bool"):
            raise ValueError("an operator that isn't known here: " + operator)
        for key, values in keys.items():
            if context.get(key) not in values:
                return False
    return True
