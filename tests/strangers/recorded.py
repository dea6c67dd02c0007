#!/usr/bin/env python3
"""A failover, written down call by call, and held against AWS's own word.

`rehome run` keeps an address alive in a lab through everything it repairs: source/dest check,
a route that was deleted, a crash. Between it and the API sits recorder.py. Then every request and
every answer is read by AWS's description of EC2's API (model.py), and every request has to be
allowed by the policy that `rehome iam-policy` prints for this very configuration (authorize.py),
while near relatives of these requests have to be refused.
"""

import json
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

import model
from authorize import Account, allows
from lab import COMMAND_SECONDS, Failed, Lab, check, expect, only

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = HERE.parent.parent / "examples" / "userdata_template.sh"
DESTINATION = "10.0.0.10/32"
HOLDER = "vip-a"
MONITOR = "monitor"
REGION = "us-east-1"
STORY_SECONDS = 90
END_SECONDS = 20

# Everything sooner than a real account would like it.
HASTE = [
    "--interval", "200ms", "--commit-after", "1s", "--poll-interval", "1s",
    "--poll-interval-moving", "200ms", "--fence-after", "1s", "--address-lost-after", "2s",
    "--status-interval", "500ms", "--unfamiliar", "1s",
]

# What a whole failover calls, beside listings.
CHANGES = {
    "CreateRoute", "ModifyNetworkInterfaceAttribute", "ReplaceRoute", "RunInstances",
    "TerminateInstances",
}


class Lines:
    """What a process says, line by line, as it comes."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def until(self, wanted, what, start=0):
        """Waits for a line that will do."""
        deadline = time.monotonic() + STORY_SECONDS
        while True:
            found = [line for line in self.lines[start:] if wanted(line)]
            if found:
                return found[0]
            said = "".join(self.lines[-20:])
            expect(self.process.poll() is None, "it ended before %s:\n%s" % (what, said))
            expect(time.monotonic() < deadline, "no %s in time:\n%s" % (what, said))
            time.sleep(0.05)


class Story:
    """The checks in their order, and what one leaves for the next."""

    def __init__(self, rehome):
        self.lab = Lab(rehome, "recorded")
        self.rehome = str(rehome)
        self.processes = []
        self.ec2 = None
        self.holder = None
        self.table = None
        self.arguments = None
        self.policy = None
        self.calls = None

    def checks(self):
        return [
            ("a lab comes up for a failover that is written down", self.up),
            ("iam-policy prints this configuration's policy", self.print_policy),
            ("rehome repairs, fails over and ends, and all of it is written down", self.live),
            ("every change of a failover was made", self.is_whole),
            ("AWS's model knows every request", self.requests),
            ("AWS's model knows every answer", self.answers),
            ("the policy allows every request", self.allowed),
            ("the policy allows little else", self.refused),
        ]

    def up(self):
        self.lab.run("up", "--pace", "instant", "--detach")
        self.ec2 = self.lab.client("ec2")
        self.holder = self.describe(HOLDER)
        interface = self.holder["NetworkInterfaces"][0]["NetworkInterfaceId"]
        # Somebody forgot it, so rehome has something to switch off.
        self.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface, SourceDestCheck={"Value": True}
        )
        table = only(self.ec2.describe_route_tables()["RouteTables"], "route table")
        self.table = table["RouteTableId"]
        group = self.holder["SecurityGroups"][0]["GroupId"]
        self.arguments = [
            "--instance-id", self.holder["InstanceId"], "--security-group", group,
            "--keypair", self.holder["KeyName"], "--user-data-file", str(TEMPLATE),
            "--route-destination", DESTINATION,
        ]

    def describe(self, name):
        filters = [{"Name": "tag:Name", "Values": [name]}]
        found = self.ec2.describe_instances(Filters=filters)["Reservations"]
        return only(only(found, "reservation")["Instances"], "instance " + name)

    def print_policy(self):
        self.policy = json.loads(self.lab.product("iam-policy", *self.arguments))

    def start(self, *words):
        process = subprocess.Popen(
            self.lab.command("exec", MONITOR, "--", *words),
            env=self.lab.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return Lines(process)

    def live(self):
        find = "sed -n 's/^endpoint_url = //p' ~/.aws/config"
        api = self.lab.exec(MONITOR, "sh", "-c", find).strip()
        recorder = self.start(sys.executable, str(HERE / "recorder.py"), "--to", api)
        port = recorder.until(lambda line: line.startswith("ready "), "port").split()[1]
        endpoint = "AWS_ENDPOINT_URL=http://127.0.0.1:" + port
        run = self.start("env", endpoint, self.rehome, "run", *self.arguments, *HASTE)
        run.until(lambda line: "PING: REACHABLE" in line, "healthy line")
        self.ec2.delete_route(RouteTableId=self.table, DestinationCidrBlock=DESTINATION)
        recorder.until(lambda line: "Action=CreateRoute&" in line, "route made again")
        healed = len(run.lines)
        run.until(lambda line: "PING: REACHABLE" in line, "healthy line again", healed)
        self.lab.run("break", HOLDER, "crash")
        run.until(lambda line: line.startswith("Now monitoring"), "end of the failover")
        self.stop(run)
        # The same command goes on with the successor, which has no statement but by its tag.
        again = self.start("env", endpoint, self.rehome, "run", *self.arguments, *HASTE)
        again.until(lambda line: "PING: REACHABLE" in line, "healthy line of the successor")
        self.stop(again)
        self.calls = [json.loads(line) for line in recorder.lines if line.startswith("{")]
        for call in self.calls:
            pairs = urllib.parse.parse_qsl(
                call["form"], keep_blank_values=True, strict_parsing=True
            )
            call["parameters"] = dict(pairs)
            expect(len(pairs) == len(call["parameters"]), "a name twice: " + call["form"])

    def stop(self, run):
        run.process.send_signal(signal.SIGTERM)
        expect(run.process.wait(END_SECONDS) == 0, "rehome ended badly:\n" + "".join(run.lines))

    def is_whole(self):
        made = {call["parameters"]["Action"] for call in self.calls}
        changes = {action for action in made if not action.startswith(("Describe", "Get"))}
        expect(changes == CHANGES, "the changes were %s" % sorted(changes))

    def requests(self):
        found = [b for call in self.calls for b in model.request_breaches(call["parameters"])]
        expect(not found, "\n".join(dict.fromkeys(found)))
        # The check sees what it is there to see.
        launch = self.first("RunInstances")
        for name, value, said in [
            ("MinCount", "one", "no integer"),
            ("InstanceInitiatedShutdownBehavior", "vanish", "no one of its enumeration"),
            ("NetworkInterface.3.DeviceIndex", "1", "is numbered [1, 3]"),
            ("KeyPair", "k", "no parameter"),
            ("MaxCount", None, "MaxCount is missing"),
        ]:
            changed = {key: old for key, old in launch.items() if key != name}
            if value is not None:
                changed[name] = value
            breaches = model.request_breaches(changed)
            expect(any(said in breach for breach in breaches), "%s: %s" % (name, breaches))

    def answers(self):
        from botocore.parsers import create_parser

        found = []
        for call in self.calls:
            service = model.service(call["parameters"]["Version"])
            action = call["parameters"]["Action"]
            shape = service.operation_model(action).output_shape
            parser = create_parser(service.metadata["protocol"])
            answer = {"status_code": call["status"], "headers": {}, "body": call["body"].encode()}
            parsed = parser.parse(answer, shape)
            if call["status"] == 200:
                found += model.answer_breaches(shape, action, call["body"])
            elif not parsed.get("Error", {}).get("Code"):
                found.append("%s: an error without a code: %s" % (action, call["body"]))
        expect(not found, "\n".join(dict.fromkeys(found)))

    def first(self, action):
        calls = [c["parameters"] for c in self.calls if c["parameters"]["Action"] == action]
        expect(calls, "no call of " + action)
        return calls[0]

    def account(self):
        """The account as it is after the launches: what they made carries their tags."""
        account = Account(REGION, self.holder["NetworkInterfaces"][0]["OwnerId"])
        pages = self.ec2.get_paginator("describe_instances").paginate()
        for reservation in (r for page in pages for r in page["Reservations"]):
            for instance in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
                account.tags[instance["InstanceId"]] = tags
        for interface in self.ec2.describe_network_interfaces()["NetworkInterfaces"]:
            tags = {tag["Key"]: tag["Value"] for tag in interface.get("TagSet", [])}
            account.tags[interface["NetworkInterfaceId"]] = tags
        return account

    def statements(self):
        policies = self.policy["Policies"]
        return only(policies, "policy")["PolicyDocument"]["Statement"]

    def allowed(self):
        account, statements, used = self.account(), self.statements(), set()
        refused = []
        for call in self.calls:
            for asked in account.asked(call["parameters"]):
                by = allows(statements, asked)
                used.add(by)
                if by is None:
                    refused.append("%s on %s, %s" % asked)
        expect(not refused, "not allowed:\n" + "\n".join(dict.fromkeys(refused)))
        # A statement that a whole failover doesn't use would be broader than needed.
        unused = {statement["Sid"] for statement in statements} - used
        expect(unused == {"DoctorRead"}, "never used: %s" % sorted(unused))

    def refused(self):
        account, statements = self.account(), self.statements()
        launch = self.first("RunInstances")
        route, end = self.first("ReplaceRoute"), self.first("TerminateInstances")
        check_off = self.first("ModifyNetworkInterfaceAttribute")
        monitor = self.describe(MONITOR)
        untagged = {key: value for key, value in launch.items() if "TagSpecification" not in key}
        foreign = {
            key: "10.0.0.20" if value == "10.0.0.10" else value for key, value in launch.items()
        }
        for name, form in [
            ("another type", dict(launch, InstanceType="p5.48xlarge")),
            ("another image", dict(launch, ImageId="ami-0123456789abcdef0")),
            ("another key pair", dict(launch, KeyName="somebodys")),
            ("a weaker metadata service", {**launch, "MetadataOptions.HttpTokens": "optional"}),
            ("another subnet", {**launch, "NetworkInterface.1.SubnetId": "subnet-0123456789ab"}),
            ("other groups", {**launch, "NetworkInterface.1.SecurityGroupId.1": "sg-012345678"}),
            ("no tags", untagged),
            ("another address's tag", foreign),
            ("another table", dict(route, RouteTableId="rtb-0123456789abcdef0")),
            ("no route any more", dict(route, Action="DeleteRoute")),
            ("the end of the monitor", {**end, "InstanceId.1": monitor["InstanceId"]}),
            ("a stop", dict(end, Action="StopInstances")),
            ("the monitor's interface", dict(
                check_off, NetworkInterfaceId=monitor["NetworkInterfaces"][0]["NetworkInterfaceId"]
            )),
        ]:
            asked = account.asked(form)
            granted = all(allows(statements, one) for one in asked)
            expect(not granted, "it is allowed: " + name)

    def end(self):
        self.lab.run("down")
        for process in self.processes:
            try:
                process.wait(COMMAND_SECONDS)
            except subprocess.TimeoutExpired as error:
                process.kill()
                process.wait()
                raise Failed("a process outlived its lab") from error


def run(rehome, results):
    """All checks; their outcome goes to `results`."""
    story = Story(rehome)
    try:
        for name, step in story.checks():
            check(name, step, results)
            if not results[-1] and step in (story.up, story.live, story.print_policy):
                break
    finally:
        check("the lab of the failover ends", story.end, results)


def main():
    """By itself: `recorded.py REHOME`."""
    from lab import conclude

    results = []
    run(pathlib.Path(sys.argv[1]).resolve(), results)
    return conclude(results)


if __name__ == "__main__":
    sys.exit(main())
