#!/usr/bin/env python3
"""moto answers the calls that the lab answers: one belief about EC2 held against another.

Builds the lab's VPC in a moto server, puts the same boto3 calls to both in the same order, and
compares how each ends (answer or error code) and, where both answer, what they tell: which
members, and their values once ids and the like are replaced by names. Where the two are known
to differ and EC2 is known to be with the lab, contract_differences.py says why; every entry
there has to be needed. What the lab writes is held against AWS's own description of its API as
well, the one that botocore brings along: element names, types, the values of enumerations.
"""

import argparse
import datetime
import fnmatch
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time

from clients import actions, kebab
from contract_calls import ZONES, story
from contract_differences import ANSWERS_DIFFER, MOTO_DIFFERS
from contract_rules import rules
from lab import Failed, Lab, check, conclude, expect, only
from model import answer_breaches

HERE = pathlib.Path(__file__).resolve()
REGION = "us-east-1"
START_SECONDS = 60
CALL_SECONDS = 30
END_SECONDS = 20
# The lab throttles as EC2 does: five launches at once, then two a second.
THROTTLED_SECONDS = 20
PAUSE_SECONDS = 0.25

ROLE = "EC2ControllerRole"
KEY = "my-keypair"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
IMAGES = "al2023-ami-2023.*-kernel-6.1-x86_64"


class Moto:
    """A moto server of our own on the loopback. It ends with its standard input, hence with us."""

    def __init__(self, folder):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.log = open(pathlib.Path(folder, "moto.log"), "w+b")
        self.process = subprocess.Popen(
            [sys.executable, str(HERE), "--serve-moto"],
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )

    def url(self):
        """Waits for its only line, the port."""
        speaks, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        port = self.process.stdout.readline().strip() if speaks else b""
        if not port.isdigit():
            self.log.seek(0)
            words = self.log.read().decode(errors="replace")[-2000:]
            raise Failed("moto doesn't start: " + words)
        return "http://127.0.0.1:%d" % int(port)

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            self.process.wait()
            raise Failed("moto outlived its input") from error
        finally:
            self.process.stdout.close()
            self.log.close()


def serve_moto():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.read()
    server.stop()


class Side:
    """One of the two: its clients, and what it calls the things of the story."""

    ID = re.compile(r"\b([a-z]+(?:-[a-z]+)*)-[0-9a-f]{8,17}\b")
    # What each of them makes up for itself.
    OWN = [
        (re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"), "<mac>"),
        (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
        (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+Z)?"), "<time>"),
        (re.compile(r"\b(AIPA|AROA)[A-Z0-9]{17}\b"), r"<\1>"),
        # Of the subnet where no launch here names an address.
        (re.compile(r"\b172([.-])31\1(?:3[2-9]|4[0-7])\1\d+\b(?!/)"), "<address>"),
    ]

    def __init__(self, name, url, key, secret):
        import boto3
        from botocore.config import Config

        self.name = name
        self.things = {}
        self.body = None
        session = boto3.session.Session(key, secret, region_name=REGION)
        # Nothing may stand between a call and its answer: no check, no second attempt, no proxy.
        config = Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            connect_timeout=CALL_SECONDS,
            read_timeout=CALL_SECONDS,
            proxies={},
        )
        self.client = lambda service: session.client(service, endpoint_url=url, config=config)
        self.ec2 = self.client("ec2")
        self.sts = self.client("sts")
        self.iam = self.client("iam")
        for client in (self.ec2, self.sts, self.iam):
            client.meta.events.register("before-parse", self.on_answer)

    def __getitem__(self, thing):
        return self.things[thing]

    def __setitem__(self, thing, name):
        self.things[thing] = name

    def on_answer(self, response_dict, **_):
        self.body = response_dict["body"]

    def client_of(self, action):
        clients = (self.ec2, self.sts, self.iam)
        return only([client for client in clients if hasattr(client, action)], "service")

    def shape(self, action):
        """What AWS's model says of the answer; None if it has nothing in it."""
        client = self.client_of(action)
        operation = client.meta.method_to_api_mapping[action]
        return client.meta.service_model.operation_model(operation).output_shape

    def put(self, action, parameters):
        """How the call ends: `ok` or an error code, the HTTP status, the answer, the message."""
        from botocore.exceptions import ClientError
        from botocore.parsers import ResponseParserError

        deadline = time.monotonic() + THROTTLED_SECONDS
        while True:
            try:
                answer = getattr(self.client_of(action), action)(**parameters)
                return "ok", answer.pop("ResponseMetadata")["HTTPStatusCode"], answer, ""
            except ResponseParserError:
                # An exception inside of moto: a page of HTML.
                return "no answer", 500, None, ""
            except ClientError as error:
                code, message = (error.response["Error"].get(n, "") for n in ("Code", "Message"))
                if code != "RequestLimitExceeded" or time.monotonic() > deadline:
                    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                    return code, status, None, message
                time.sleep(PAUSE_SECONDS)

    def named(self, value):
        """The value with names for what only this side knows."""
        known = {name: thing for thing, name in self.things.items() if isinstance(name, str)}

        def text(value):
            value = value.replace(self["account"], "<account>")
            for pattern, name in self.OWN:
                value = pattern.sub(name, value)
            return self.ID.sub(lambda found: "<%s>" % known.get(found[0], found[1]), value)

        def inner(value):
            if isinstance(value, dict):
                return {key: inner(member) for key, member in value.items()}
            if isinstance(value, list):
                return [inner(member) for member in value]
            if isinstance(value, datetime.datetime):
                return "<time>"
            return text(value) if isinstance(value, str) else value

        return inner(value)


def learn(lab):
    """What the lab calls the things of its picture."""
    status = lab.ec2.describe_instances()
    lab["account"] = lab.sts.get_caller_identity()["Account"]
    for reservation in status["Reservations"]:
        instance = only(reservation["Instances"], "instance of a reservation")
        name = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}["Name"]
        lab[name] = instance["InstanceId"]
        interface = only(instance["NetworkInterfaces"], "interface of " + name)
        lab["eni-" + name] = interface["NetworkInterfaceId"]
        lab["image"], lab["vpc"] = instance["ImageId"], instance["VpcId"]
        lab["group"] = only(instance["SecurityGroups"], "group of " + name)["GroupId"]
        lab["key"] = instance["KeyName"]
        if "IamInstanceProfile" in instance:
            lab["profile"] = instance["IamInstanceProfile"]["Arn"]
    ours = [{"Name": "vpc-id", "Values": [lab["vpc"]]}]
    for subnet in lab.ec2.describe_subnets(Filters=ours)["Subnets"]:
        lab["subnet-" + subnet["AvailabilityZone"][-1]] = subnet["SubnetId"]
    table = only(lab.ec2.describe_route_tables(Filters=ours)["RouteTables"], "route table")
    lab["table"] = table["RouteTableId"]
    gateways = [route.get("GatewayId", "") for route in table["Routes"]]
    lab["gateway"] = only([g for g in gateways if g.startswith("igw-")], "internet gateway")


def build(moto):
    """The lab's picture, in moto's default VPC, which has the same block."""
    ec2 = moto.ec2
    moto["account"] = moto.sts.get_caller_identity()["Account"]
    moto["vpc"] = only(ec2.describe_vpcs()["Vpcs"], "VPC at the start")["VpcId"]
    ours = [{"Name": "vpc-id", "Values": [moto["vpc"]]}]
    for subnet in ec2.describe_subnets(Filters=ours)["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for zone, third in zip(ZONES, (48, 32, 16)):
        block = "172.31.%d.0/20" % third
        made = ec2.create_subnet(VpcId=moto["vpc"], AvailabilityZone=zone, CidrBlock=block)
        subnet = moto["subnet-" + zone[-1]] = made["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    tables = ec2.describe_route_tables(Filters=ours)["RouteTables"]
    moto["table"] = only(tables, "route table")["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    moto["gateway"] = gateway
    ec2.attach_internet_gateway(VpcId=moto["vpc"], InternetGatewayId=gateway)
    ec2.create_route(
        RouteTableId=moto["table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
    )
    group = ec2.create_security_group(
        VpcId=moto["vpc"], GroupName="overlay",
        Description="Holder and monitor, with their overlay addresses",
    )
    moto["group"] = group["GroupId"]
    members = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": moto["group"]}]}
    pings = {
        "IpProtocol": "icmp", "FromPort": -1, "ToPort": -1,
        "IpRanges": [{"CidrIp": "10.0.0.0/24"}],
    }
    ec2.authorize_security_group_ingress(
        GroupId=moto["group"], IpPermissions=[members, pings]
    )
    moto["key"] = ec2.create_key_pair(KeyName=KEY)["KeyName"]
    images = ec2.describe_images(Filters=[{"Name": "name", "Values": [IMAGES]}])["Images"]
    expect(images, "moto has no image of this name: " + IMAGES)
    moto["image"] = images[0]["ImageId"]
    iam = moto.iam
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    profile = iam.create_instance_profile(InstanceProfileName=ROLE)["InstanceProfile"]
    moto["profile"] = profile["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
    place(moto, "vip-a", "a", "172.31.48.10", "10.0.0.10")
    place(moto, "monitor", "c", "172.31.16.10", "10.0.0.100",
          IamInstanceProfile={"Name": ROLE})


def place(moto, name, zone, address, overlay, **more):
    """A machine of the picture, and the route to its overlay address."""
    launched = moto.ec2.run_instances(
        ImageId=moto["image"], InstanceType="t3.micro", MinCount=1, MaxCount=1,
        KeyName=moto["key"], SubnetId=moto["subnet-" + zone], PrivateIpAddress=address,
        SecurityGroupIds=[moto["group"]], UserData="#!/bin/sh\n", ClientToken="",
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}
        ],
        **more,
    )
    instance = only(launched["Instances"], "launched instance")
    moto[name] = instance["InstanceId"]
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    moto["eni-" + name] = interface
    moto.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, SourceDestCheck={"Value": False}
    )
    moto.ec2.create_route(
        RouteTableId=moto["table"], DestinationCidrBlock=overlay + "/32",
        NetworkInterfaceId=interface,
    )


# By what the members of a list are paired: EC2 gives no order.
ORDER = [
    "Key", "DestinationCidrBlock", "CidrBlock", "ZoneName", "Egress", "RuleNumber", "SubnetId",
    "InstanceId", "AmiLaunchIndex", "GroupName", "DeviceName", "PrivateIpAddress", "IsEgress",
    "IpProtocol", "FromPort", "CidrIp", "CidrIpv4", "GroupId", "ReferencedGroupInfo",
]


def order(value):
    if not isinstance(value, dict):
        return [str(value)]
    first = value["Instances"][0] if value.get("Instances") else value
    return [str(first.get(name, "")) for name in ORDER]


def differences(shape, lab, moto, member="the answer"):
    """How two answers differ, as (member, kind, what): which one alone tells it, or the value.

    A member is named by AWS's name of the structure it is in: `Route.State`, wherever it occurs.
    """
    if shape.type_name == "structure":
        for name, inner in shape.members.items():
            member = "%s.%s" % (shape.name, name)
            if name in lab and name in moto:
                yield from differences(inner, lab[name], moto[name], member)
            elif name in lab:
                yield member, "lab", lab[name]
            elif name in moto:
                yield member, "moto", moto[name]
    elif shape.type_name == "list":
        if len(lab) != len(moto):
            yield member, "count", "the lab %d, moto %d" % (len(lab), len(moto))
        for one, other in zip(sorted(lab, key=order), sorted(moto, key=order)):
            yield from differences(shape.member, one, other, member)
    elif lab != moto:
        yield member, "value", "the lab %r, moto %r" % (lab, moto)


def model_breaches(side, action):
    """Where the last answer isn't what AWS's model says, from what botocore would overlook."""
    return answer_breaches(side.shape(action), action, side.body)


class Contract:
    """The checks in their order, and which entries of the tables they needed."""

    def __init__(self, rehome, folder):
        self.lab_process = Lab(rehome, "contract")
        self.folder = folder
        self.moto_process = None
        self.lab = None
        self.moto = None
        self.used = set()

    def start(self):
        # moto takes its time, so it starts first.
        self.moto_process = Moto(self.folder)
        self.lab_process.run("up", "--pace", "instant", "--detach")
        env = self.lab_process.host_environment()
        self.lab = Side(
            "lab", env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
        )
        self.moto = Side("moto", self.moto_process.url(), "AKIAFAKEFORMOTOALONE", "fake")

    def furnish(self):
        learn(self.lab)
        build(self.moto)
        same = sorted(self.lab.things) == sorted(self.moto.things)
        expect(same, "the lab: %s\nmoto: %s" % (self.lab.things, self.moto.things))

    def put(self, call):
        """Puts a call to both and compares."""
        from botocore.exceptions import ClientError

        lab_end = self.lab.put(call.action, call.parameters(self.lab))
        faults = model_breaches(self.lab, call.action) if lab_end[0] == "ok" else []
        moto_end = self.moto.put(call.action, call.parameters(self.moto))
        for side, end in ((self.lab, lab_end), (self.moto, moto_end)):
            if call.keep and end[2]:
                call.keep(side, end[2])
        lab_answer, moto_answer = (
            side.named(end[2]) for side, end in ((self.lab, lab_end), (self.moto, moto_end))
        )
        if call.clean:
            try:
                call.clean(self.moto, moto_end[2])
            except ClientError:
                pass  # Nothing to put back: moto refused as well.
        if lab_end[0] == moto_end[0] == "ok" and self.lab.shape(call.action):
            shape = self.lab.shape(call.action)
            found = differences(shape, lab_answer, moto_answer)
            faults += [fault for fault in map(lambda d: self.judged(call.name, *d), found) if fault]
        faults += self.compare_ends(call.name, lab_end, moto_end)
        expect(not faults, "\n".join(dict.fromkeys(faults)))

    def judged(self, name, member, kind, what):
        for key in ((name, member, kind), (None, member, kind)):
            if key in ANSWERS_DIFFER:
                self.used.add(key)
                return None
        tells = {"lab": "only the lab tells", "moto": "only moto tells"}.get(kind, kind)
        return "%s: %s: %s" % (member, tells, what)

    def compare_ends(self, name, lab, moto):
        for pattern, (of_lab, of_moto, _) in MOTO_DIFFERS.items():
            if fnmatch.fnmatchcase(name, pattern):
                self.used.add(("ends", pattern))
                break
        else:
            of_lab, of_moto = lab[0], lab[0]
            if lab[0] == moto[0] and lab[1] != moto[1]:
                return ["%s: the lab says HTTP %d, moto HTTP %d" % (lab[0], lab[1], moto[1])]
        ends = ((lab, of_lab, "the lab"), (moto, of_moto, "moto"))
        return [
            "%s: %s %s, expected %s" % (who, end[0], end[3], expected)
            for end, expected, who in ends
            if not fnmatch.fnmatchcase(end[0], expected)
        ]

    def complete(self):
        called = {call.action for call in story() + rules()}
        missing = {kebab(action).replace("-", "_") for action in actions()} - called
        expect(not missing, "never called: %s" % sorted(missing))

    def nothing_unneeded(self):
        """An entry without use would hide the day when the two begin to differ there."""
        entries = set(ANSWERS_DIFFER)
        entries |= {("ends", pattern) for pattern in MOTO_DIFFERS}
        left = sorted(map(str, entries - self.used))
        expect(not left, "\n".join(left))

    def end(self):
        try:
            if self.moto_process:
                self.moto_process.end()
        finally:
            self.lab_process.run("down")


def run(rehome, results):
    """All checks; their outcome goes to `results`."""
    with tempfile.TemporaryDirectory(prefix="rehome-contract-") as folder:
        contract = Contract(rehome, folder)
        try:
            check("a lab and moto start", contract.start, results)
            if results[-1]:
                check("moto has the lab's picture", contract.furnish, results)
            if results[-1]:
                for call in story() + rules():
                    check(call.name, lambda call=call: contract.put(call), results)
                check("every action of the lab was put to both", contract.complete, results)
                check("no known difference is out of date", contract.nothing_unneeded, results)
        finally:
            check("moto and the lab end", contract.end, results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rehome", type=pathlib.Path, help="the binary to test")
    parser.add_argument("--serve-moto", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_moto:
        return serve_moto()
    if options.rehome is None:
        parser.error("--rehome is required")
    results = []
    run(options.rehome.resolve(), results)
    return conclude(results)


if __name__ == "__main__":
    sys.exit(main())
