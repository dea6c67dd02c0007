#!/usr/bin/env python3
"""boto3 and the AWS CLI use everything that the lab's API has, and others abuse it.

boto3: every paginator page by page, the waiters, `DryRun` of every action that takes it. The AWS
CLI: every action, `--filters`, `--query`, `--output`, `--max-items`, `--dry-run`, `wait`. Then
requests that no client would send: unsigned, malformed, too long. Each gets an error in its
service's own form, and the lab goes on.
"""

import concurrent.futures
import http.client
import json
import pathlib
import re
import sys
import urllib.parse
import xml.etree.ElementTree

from lab import Lab, check, conclude, ended, expect, only

WIRE = pathlib.Path(__file__).resolve().parents[2] / "crates/rehome-lab/src/wire"
SOURCES = [WIRE / "query.rs", WIRE / "rules.rs"]
CLI_SECONDS = 90
CALL_SECONDS = 30
# The AWS CLI takes half a second of a core to start.
CLIS_AT_ONCE = 3
# One more than EC2's smallest page.
FLEET = 6
PAGE = 5
# A refusal of the service ends the CLI of version 1 with this (version 2 with 254).
SERVICE_ERROR = 255
NOWHERE = "10.0.0.99/32"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIAFAKEREHOMELABKEY/20261122/us-east-1/%s/aws4_request, "
    "SignedHeaders=host, Signature=00"
)


def actions():
    """Every action that the lab's source reads, by service."""
    text = "\n".join(source.read_text(encoding="utf-8") for source in SOURCES)
    quoted = r'"((?:[A-Z][a-z0-9]+){2,})"'
    found = set(re.findall(r"^\s+\(\s*" + quoted + ",", text, re.M))
    found |= set(re.findall(r"^\s+" + quoted + r" =>", text, re.M))
    found |= set(re.findall(r"action == " + quoted, text))
    # A longer row of a table has a line for each of its parts.
    found |= set(re.findall(r"^    \(\n\s+" + quoted + ",", text, re.M))
    return found


def kebab(action):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", action).lower()


class Story:
    """The checks in their order, and what one leaves for the next."""

    def __init__(self, rehome):
        self.lab = Lab(rehome, "clients")
        self.ec2 = None
        self.env = None
        self.named = {}
        self.fleet = []
        self.cli_used = set()

    def checks(self):
        return [
            ("a lab comes up for boto3 and the AWS CLI", self.up),
            ("boto3's paginators turn every page", self.paginators),
            ("boto3's waiters wait for what comes, and no longer", self.waiters),
            ("a dry run of every action is only asked about", self.dry_runs),
            ("the AWS CLI reads everything", self.cli_reads),
            ("the AWS CLI filters, queries and pages", self.cli_shapes),
            ("the AWS CLI changes everything", self.cli_changes),
            ("the AWS CLI changes groups and ACLs", self.cli_rules),
            ("the AWS CLI waits and asks only", self.cli_waits),
            ("the AWS CLI has used every action of the lab", self.cli_complete),
            ("unsigned and wrongly signed requests are refused", self.unsigned),
            ("malformed requests are refused one by one", self.malformed),
            ("after all this the lab still answers", self.answers),
        ]

    def up(self):
        self.lab.run("up", "--pace", "instant", "--detach")
        self.ec2 = self.lab.client("ec2")
        self.env = self.lab.host_environment()
        for reservation in self.ec2.describe_instances()["Reservations"]:
            instance = only(reservation["Instances"], "instance of a reservation")
            name = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}["Name"]
            self.named[name] = instance
        table = only(self.ec2.describe_route_tables()["RouteTables"], "route table")
        self.named["table"] = table["RouteTableId"]

    def launch(self, count=1):
        like = self.named["vip-a"]
        return self.ec2.run_instances(
            ImageId=like["ImageId"], InstanceType="t3.micro", MinCount=count, MaxCount=count,
            SubnetId=like["SubnetId"],
            SecurityGroupIds=[like["SecurityGroups"][0]["GroupId"]],
            TagSpecifications=[{
                "ResourceType": kind, "Tags": [{"Key": "Fleet", "Value": "clients"}],
            } for kind in ("instance", "volume", "network-interface")],
        )["Instances"]

    def paginators(self):
        for _ in range(FLEET):
            self.fleet += [instance["InstanceId"] for instance in self.launch()]
        turned = []
        for action in sorted(actions()):
            method = kebab(action).replace("-", "_")
            if not hasattr(self.ec2, method) or not self.ec2.can_paginate(method):
                continue
            paginator = self.ec2.get_paginator(method)
            key = paginator.result_keys[0].expression
            arguments = {}
            if action == "DescribeInstanceTypeOfferings":
                arguments["LocationType"] = "availability-zone"
            config = {"PageSize": PAGE}
            if action == "DescribeInstanceCreditSpecifications":
                # EC2 takes no page size beside ids.
                arguments["InstanceIds"], config = self.fleet, {}
            whole = getattr(self.ec2, method)(**arguments)[key]
            pages = [p[key] for p in paginator.paginate(**arguments, PaginationConfig=config)]
            expect(all(len(page) <= PAGE for page in pages) or pages == [whole],
                   "%s: pages of %s" % (action, [len(page) for page in pages]))
            # EC2 promises no order.
            turned_over = sorted(map(str, sum(pages, [])))
            expect(turned_over == sorted(map(str, whole)), "%s: not the whole" % action)
            turned.append((action, len(pages)))
        several = [action for action, pages in turned if pages > 1]
        for action in ("DescribeInstances", "DescribeInstanceStatus", "DescribeVolumes",
                       "DescribeNetworkInterfaces", "DescribeTags"):
            expect(action in several, "%s has one page: %s" % (action, turned))

    def waiters(self):
        from botocore.exceptions import WaiterError

        one = [self.fleet[0]]

        def wait(name, attempts=40, **arguments):
            config = {"Delay": 1, "MaxAttempts": attempts}
            self.ec2.get_waiter(name).wait(WaiterConfig=config, **arguments)

        like = self.named["vip-a"]
        volume = like["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        for name in ("instance_exists", "instance_running", "instance_status_ok",
                     "system_status_ok"):
            wait(name, InstanceIds=one)
        wait("image_exists", ImageIds=[like["ImageId"]])
        wait("image_available", ImageIds=[like["ImageId"]])
        wait("key_pair_exists", KeyNames=[like["KeyName"]])
        wait("security_group_exists", GroupIds=[like["SecurityGroups"][0]["GroupId"]])
        wait("subnet_available", SubnetIds=[like["SubnetId"]])
        wait("vpc_available", VpcIds=[like["VpcId"]])
        wait("vpc_exists", VpcIds=[like["VpcId"]])
        wait("volume_in_use", VolumeIds=[volume])
        self.ec2.stop_instances(InstanceIds=one)
        wait("instance_stopped", InstanceIds=one)
        self.ec2.terminate_instances(InstanceIds=one)
        wait("instance_terminated", InstanceIds=one)
        for name, arguments in [
            ("instance_running", {"InstanceIds": one}),
            ("key_pair_exists", {"KeyNames": ["nobodys"]}),
        ]:
            try:
                wait(name, attempts=1, **arguments)
            except WaiterError:
                continue
            expect(False, "%s came though it can't" % name)

    def spare_rules(self):
        """A group and an ACL that nobody uses, and what may be asked about them, by action."""
        vpc = {"VpcId": self.named["vip-a"]["VpcId"]}
        group = dict(vpc, GroupName="spare", Description="of a test")
        made = {"GroupId": self.ec2.create_security_group(**group)["GroupId"]}
        acl = self.ec2.create_network_acl(**vpc)["NetworkAcl"]["NetworkAclId"]
        rule = lambda port: dict(made, IpPermissions=[{
            "IpProtocol": "tcp", "FromPort": port, "ToPort": port,
            "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
        self.ec2.authorize_security_group_ingress(**rule(22))
        self.ec2.authorize_security_group_egress(**rule(22))
        place = lambda number: {"NetworkAclId": acl, "RuleNumber": number, "Egress": False}
        entry = lambda number: dict(place(number), Protocol="-1", RuleAction="allow",
                                    CidrBlock="10.0.0.0/8")
        self.ec2.create_network_acl_entry(**entry(10))
        default = next(acl for acl in self.ec2.describe_network_acls()["NetworkAcls"]
                       if acl["IsDefault"])
        used = default["Associations"][0]["NetworkAclAssociationId"]
        return {
            "CreateSecurityGroup": dict(group, GroupName="another"), "DeleteSecurityGroup": made,
            "AuthorizeSecurityGroupIngress": rule(80), "AuthorizeSecurityGroupEgress": rule(80),
            "RevokeSecurityGroupIngress": rule(22), "RevokeSecurityGroupEgress": rule(22),
            "CreateNetworkAcl": vpc, "DeleteNetworkAcl": {"NetworkAclId": acl},
            "CreateNetworkAclEntry": entry(20), "ReplaceNetworkAclEntry": entry(10),
            "DeleteNetworkAclEntry": place(10),
            "ReplaceNetworkAclAssociation": {"AssociationId": used, "NetworkAclId": acl},
        }

    def dry_runs(self):
        """Every action whose input has `DryRun` and that the model lets us call with these ids."""
        from botocore.exceptions import ClientError

        one = {"InstanceIds": [self.fleet[1]]}
        interface = self.named["vip-a"]["NetworkInterfaces"][0]["NetworkInterfaceId"]
        route = {"RouteTableId": self.named["table"], "DestinationCidrBlock": NOWHERE}
        to = dict(route, NetworkInterfaceId=interface)
        held = dict(to, DestinationCidrBlock="10.0.0.10/32")
        tags = {"Resources": [self.fleet[1]], "Tags": [{"Key": "a", "Value": "b"}]}
        launch = {"ImageId": self.named["vip-a"]["ImageId"], "InstanceType": "t3.micro",
                  "MinCount": 1, "MaxCount": 1, "SubnetId": self.named["vip-a"]["SubnetId"]}
        named = {
            "RunInstances": launch, "CreateRoute": to, "ReplaceRoute": held,
            "DeleteRoute": dict(route, DestinationCidrBlock="10.0.0.10/32"),
            "CreateTags": tags, "DeleteTags": tags,
            "ModifyNetworkInterfaceAttribute": {
                "NetworkInterfaceId": interface, "SourceDestCheck": {"Value": True}},
            "ModifyInstanceAttribute": {
                "InstanceId": self.fleet[1], "DisableApiTermination": {"Value": True}},
            "DescribeInstanceAttribute": {
                "InstanceId": self.fleet[1], "Attribute": "userData"},
        }
        named.update(self.spare_rules())
        before = self.ec2.describe_route_tables()["RouteTables"]
        asked = 0
        for action in sorted(actions()):
            model = self.ec2.meta.service_model
            if action not in model.operation_names:
                continue
            if "DryRun" not in model.operation_model(action).input_shape.members:
                continue
            arguments = named.get(action, {} if action.startswith("Describe") else one)
            method = getattr(self.ec2, kebab(action).replace("-", "_"))
            try:
                method(DryRun=True, **arguments)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                expect((code, status) == ("DryRunOperation", 412), "%s: %s" % (action, error))
                asked += 1
                continue
            expect(False, action + " was done")
        expect(asked > 20, "only %d were asked about" % asked)
        expect(self.ec2.describe_route_tables()["RouteTables"] == before, "a dry run did something")
        state = self.ec2.describe_instances(**one)["Reservations"][0]["Instances"][0]["State"]
        expect(state["Name"] == "running", "a dry run left it %s" % state)

    def aws(self, *words, code=0):
        """The AWS CLI on this host."""
        command = [str(pathlib.Path(sys.executable).with_name("aws")), *map(str, words)]
        done = ended(command, dict(self.env, AWS_PAGER=""), CLI_SECONDS)
        expect(done.returncode == code, "aws %s ended with %d: %s" % (
            " ".join(map(str, words)), done.returncode, done.stdout + done.stderr))
        if len(words) > 1:
            self.cli_used.add(words[1])
        return done.stdout if code == 0 else done.stderr

    def all_at_once(self, commands):
        with concurrent.futures.ThreadPoolExecutor(CLIS_AT_ONCE) as pool:
            return list(pool.map(lambda words: self.aws(*words), commands))

    def cli_reads(self):
        one = self.fleet[1]
        more = {
            "DescribeInstanceAttribute": ["--instance-id", one, "--attribute", "instanceType"],
            "DescribeInstanceCreditSpecifications": ["--instance-ids", one],
        }
        commands = [
            ["ec2", kebab(action), *more.get(action, [])]
            for action in sorted(actions()) if action.startswith("Describe")
        ]
        profile = self.named["monitor"]["IamInstanceProfile"]["Arn"].split("/")[-1]
        commands.append(["sts", "get-caller-identity"])
        commands.append(["iam", "get-instance-profile", "--instance-profile-name", profile])
        for words, text in zip(commands, self.all_at_once(commands)):
            answer = json.loads(text)
            # Nobody has arranged elastic addresses or asked for spot instances.
            empty = words[1] in ("describe-addresses", "describe-spot-instance-requests")
            expect(any(answer.values()) != empty, "%s: %s" % (words, text))

    def cli_shapes(self):
        vip = self.named["vip-a"]
        filters = ["--filters", "Name=tag:Fleet,Values=cli*", "Name=instance-state-name,"
                   "Values=running"]
        ids = "Reservations[].Instances[].InstanceId"
        running = self.fleet[1:]
        [by_filter, text, table, some, route] = self.all_at_once([
            ["ec2", "describe-instances", *filters, "--query", ids],
            ["ec2", "describe-instances", "--instance-ids", vip["InstanceId"], "--query",
             "Reservations[0].Instances[0].[State.Name,Placement.AvailabilityZone]",
             "--output", "text"],
            ["ec2", "describe-vpcs", "--output", "table"],
            ["ec2", "describe-instances", *filters, "--query", ids, "--page-size", PAGE,
             "--max-items", 2],
            ["ec2", "describe-route-tables", "--query",
             "RouteTables[*].Routes[?DestinationCidrBlock=='10.0.0.10/32'][].InstanceId"],
        ])
        expect(sorted(json.loads(by_filter)) == sorted(running), by_filter)
        expect(text.split() == ["running", vip["Placement"]["AvailabilityZone"]], text)
        expect("172.31.0.0/16" in table and "----" in table, table)
        expect(len(json.loads(some)) == 2, some)
        expect(json.loads(route) == [vip["InstanceId"]], route)
        first = json.loads(self.aws("ec2", "describe-instances", *filters, "--page-size", PAGE,
                                    "--max-items", 2))
        rest = json.loads(self.aws("ec2", "describe-instances", *filters, "--page-size", PAGE,
                                   "--starting-token", first["NextToken"]))
        found = [i["InstanceId"] for part in (first, rest) for r in part["Reservations"]
                 for i in r["Instances"]]
        expect(sorted(found) == sorted(running), "the parts are not the whole: %s" % found)

    def cli_changes(self):
        vip, table = self.named["vip-a"], self.named["table"]
        launched = json.loads(self.aws(
            "ec2", "run-instances", "--image-id", vip["ImageId"], "--instance-type", "t3.micro",
            "--key-name", vip["KeyName"], "--subnet-id", vip["SubnetId"],
            "--security-group-ids", vip["SecurityGroups"][0]["GroupId"],
            "--metadata-options", "HttpTokens=required",
            "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=by-cli}]",
        ))
        instance = only(launched["Instances"], "launched instance")
        one = instance["InstanceId"]
        interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
        route = ["--route-table-id", table, "--destination-cidr-block", NOWHERE]
        for words in [
            ["modify-network-interface-attribute", "--network-interface-id", interface,
             "--no-source-dest-check"],
            ["create-route", *route, "--network-interface-id", interface],
            ["replace-route", *route, "--instance-id", vip["InstanceId"]],
            ["delete-route", *route],
            ["create-tags", "--resources", one, "--tags", "Key=Stage,Value=last"],
            ["delete-tags", "--resources", one, "--tags", "Key=Stage"],
            ["modify-instance-attribute", "--instance-id", one, "--disable-api-termination"],
        ]:
            self.aws("ec2", *words)
        refused = self.aws("ec2", "terminate-instances", "--instance-ids", one, code=SERVICE_ERROR)
        expect("(OperationNotPermitted)" in refused, refused)
        for words in [
            ["modify-instance-attribute", "--instance-id", one, "--no-disable-api-termination"],
            ["reboot-instances", "--instance-ids", one],
            ["stop-instances", "--instance-ids", one, "--force"],
            ["start-instances", "--instance-ids", one],
            ["terminate-instances", "--instance-ids", one],
        ]:
            self.aws("ec2", *words)
        self.named["by-cli"] = one

    def cli_rules(self):
        vpc = ["--vpc-id", self.named["vip-a"]["VpcId"]]
        group = json.loads(self.aws("ec2", "create-security-group", "--group-name", "by-cli",
                                    "--description", "of a test", *vpc))["GroupId"]
        acl = json.loads(self.aws("ec2", "create-network-acl", *vpc))["NetworkAcl"]["NetworkAclId"]
        home = self.named["vip-a"]["SubnetId"]
        subnet = ["--filters", "Name=association.subnet-id,Values=" + home, "--output", "text",
                  "--query", "NetworkAcls[0].Associations[?SubnetId=='%s'].NetworkAclAssociationId"
                  % home]
        before = self.aws("ec2", "describe-network-acls", "--query", "NetworkAcls[?IsDefault]."
                          "NetworkAclId", "--output", "text").strip()
        rule = ["--group-id", group, "--protocol", "tcp", "--port", "22", "--cidr", "10.0.0.0/8"]
        out = ["--group-id", group, "--ip-permissions",
               "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=10.0.0.0/8}]"]
        place = ["--network-acl-id", acl, "--rule-number", 10, "--ingress"]
        entry = [*place, "--protocol", "-1", "--cidr-block", "10.0.0.0/8", "--rule-action"]
        for words in [
            ["authorize-security-group-ingress", *rule],
            ["authorize-security-group-egress", *out],
            ["revoke-security-group-ingress", *rule],
            ["revoke-security-group-egress", *out],
            ["create-network-acl-entry", *entry, "allow"],
            ["replace-network-acl-entry", *entry, "deny"],
            ["delete-network-acl-entry", *place],
        ]:
            self.aws("ec2", *words)
        for to in (acl, before):
            used = self.aws("ec2", "describe-network-acls", *subnet).strip()
            self.aws("ec2", "replace-network-acl-association", "--association-id", used,
                     "--network-acl-id", to)
        self.aws("ec2", "delete-network-acl", "--network-acl-id", acl)
        self.aws("ec2", "delete-security-group", "--group-id", group)

    def cli_waits(self):
        self.aws("ec2", "wait", "instance-terminated", "--instance-ids", self.named["by-cli"])
        said = self.aws("ec2", "stop-instances", "--instance-ids", self.fleet[1], "--dry-run",
                        code=SERVICE_ERROR)
        expect("(DryRunOperation)" in said, said)
        said = self.aws("ec2", "describe-instances", "--instance-ids", "i-0123456789abcdef0",
                        code=SERVICE_ERROR)
        expect("(InvalidInstanceID.NotFound)" in said, said)

    def cli_complete(self):
        missing = {kebab(action) for action in actions()} - self.cli_used
        expect(not missing, "never used: %s" % sorted(missing))
        expect(len(actions()) > 30, "the search in the lab's source finds too little")

    def raw(self, body, headers=None, method="POST", path="/"):
        """What comes back for exactly these bytes: the status, and the error's code."""
        url = urllib.parse.urlsplit(self.env["AWS_ENDPOINT_URL"])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=CALL_SECONDS)
        base = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        connection.request(method, path, body, {**base, **(headers or {})})
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
        connection.close()
        try:
            root = xml.etree.ElementTree.fromstring(text)
        except xml.etree.ElementTree.ParseError:
            return status, text.decode(errors="replace")
        codes = [element.text for element in root.iter() if element.tag.endswith("Code")]
        return status, only(codes, "code in %r" % text) if codes else root.tag

    def unsigned(self):
        ec2 = "Action=DescribeVpcs&Version=2016-11-15"
        sts = "Action=GetCallerIdentity&Version=2011-06-15"
        iam = "Action=GetInstanceProfile&Version=2010-05-08&InstanceProfileName=x"
        token = (403, "MissingAuthenticationToken")
        for name, body, authorization, expected in [
            ("EC2", ec2, None, (400, "MissingParameter")),
            ("STS", sts, None, token),
            ("IAM", iam, None, token),
            ("no scheme", ec2, "AKIAFAKEREHOMELABKEY", (401, "AuthFailure")),
            ("an empty header", ec2, "", (401, "AuthFailure")),
            ("another scheme", ec2, "Basic QUtJQTp4", (401, "AuthFailure")),
            ("no signature", ec2, (SIGNED % "ec2").split(", Signature")[0], (401, "AuthFailure")),
            ("a short scope", ec2, (SIGNED % "ec2").replace("/aws4_request", ""),
             (401, "AuthFailure")),
        ]:
            headers = {} if authorization is None else {"Authorization": authorization}
            found = self.raw(body, headers)
            expect(found == expected, "%s: %s, expected %s" % (name, found, expected))

    def malformed(self):
        action, version = "Action=DescribeInstances", "&Version=2016-11-15"
        whole = action + version
        for name, body, expected in [
            ("nothing at all", "", "MissingParameter"),
            ("no action", "Version=2016-11-15", "MissingParameter"),
            ("no version", action, "MissingParameter"),
            ("a version that never was", action + "&Version=2031-01-01", "NoSuchVersion"),
            ("an unknown action", "Action=Rehearse" + version, "InvalidAction"),
            ("an action in another case", "Action=describeinstances" + version, "InvalidAction"),
            ("an unknown parameter", whole + "&Verbose=true", "UnknownParameter"),
            ("a number that is none", whole + "&MaxResults=many", "*"),
            ("a flag that is none", whole + "&DryRun=perhaps", "*"),
            ("a filter without a name", whole + "&Filter.1.Value.1=x", "*"),
            ("JSON", '{"Action": "DescribeInstances"}', "*"),
            ("half an escape", whole + "&InstanceId.1=%", "*"),
            ("no text", b"\xff\xfe\x00\x01", "*"),
            ("a line break in a name", whole + "&Instance%0AId=x", "*"),
            ("a list without numbers", whole + "&InstanceId=i-1", "*"),
            ("too many parameters", whole + "&InstanceId.1=x" + "&A=1" * 20_001, "*"),
            ("markup in a value", whole + "&InstanceId.1=%3C/Code%3E%26", "*"),
        ]:
            status, code = self.raw(body, {"Authorization": SIGNED % "ec2"})
            expect(400 <= status < 500, "%s: %d %s" % (name, status, code))
            expect(expected in ("*", code), "%s: %s, expected %s" % (name, code, expected))
            expect(re.fullmatch(r"[A-Za-z.]+", code), "%s: %r is no code" % (name, code))
        status, code = self.raw("x" * (1024 * 1024 + 1), {"Authorization": SIGNED % "ec2"})
        expect((status, code) == (413, "RequestEntityTooLarge"), "%d %s" % (status, code))
        for method in ("PUT", "DELETE"):
            status, _ = self.raw(whole, {"Authorization": SIGNED % "ec2"}, method)
            expect(status == 405, "%s: %d" % (method, status))
        status, _ = self.raw(whole, {"Authorization": SIGNED % "ec2"}, path="/elsewhere")
        expect(status == 404, "another path: %d" % status)

    def answers(self):
        status, tag = self.raw(
            "Action=DescribeVpcs&Version=2016-11-15", {"Authorization": SIGNED % "ec2"}
        )
        expect(status == 200 and tag.endswith("DescribeVpcsResponse"), "%d %s" % (status, tag))

    def end(self):
        self.lab.run("down")


def run(rehome, results):
    """All checks; their outcome goes to `results`."""
    story = Story(rehome)
    try:
        for name, step in story.checks():
            check(name, step, results)
            if not results[-1] and step == story.up:
                break
    finally:
        check("the lab of boto3 and the AWS CLI ends", story.end, results)


def main():
    """By itself: `clients.py REHOME`."""
    results = []
    run(pathlib.Path(sys.argv[1]).resolve(), results)
    return conclude(results)


if __name__ == "__main__":
    sys.exit(main())
