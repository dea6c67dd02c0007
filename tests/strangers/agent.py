#!/usr/bin/env python3
"""Debian's own answer to the same task does its work in a lab, unmodified.

`aws-vpc-move-ip` of the package resource-agents is what Pacemaker runs to move an overlay address:
a shell script that asks instance metadata who it is and the AWS CLI where the route leads, and
expects `instanceId` on a route that leads to an interface. Two machines hand the address to each
other, as Pacemaker would have them do it, and the monitor pings it.
"""

import argparse
import pathlib
import sys

from lab import COMMAND_SECONDS, Lab, check, conclude, ended, expect, only

ADDRESS = "10.0.0.10"
DESTINATION = ADDRESS + "/32"
MONITOR = "monitor"
NODES = ("node-a", "node-b")
# OCF's exit codes (Open Cluster Framework, resource agent API).
SUCCESS, NOT_RUNNING = 0, 7


class Story:
    """The checks in their order, and what one leaves for the next."""

    def __init__(self, rehome, folder):
        self.lab = Lab(rehome, "agent")
        self.root = folder.resolve() / "usr/lib/ocf"
        self.ec2 = None
        self.table = None
        self.instances = {}

    def checks(self):
        first, second = NODES
        return [
            ("a lab comes up with two more machines that have a role", self.up),
            ("the agent describes itself", self.describes_itself),
            ("it says that it doesn't run yet", lambda: self.agent(first, "monitor", NOT_RUNNING)),
            ("it starts: route and address are on its machine", lambda: self.starts(first)),
            ("it says that it runs", lambda: self.agent(first, "monitor", SUCCESS)),
            ("started on the other machine, it moves the address", lambda: self.starts(second)),
            ("the first one sees that it lost the route",
             lambda: self.agent(first, "monitor", NOT_RUNNING)),
            ("it stops and takes the address off", self.stops),
        ]

    def up(self):
        self.lab.run("up", "--pace", "instant", "--detach")
        self.ec2 = self.lab.client("ec2")
        there = {
            tag["Value"]: instance
            for reservation in self.ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            for tag in instance["Tags"] if tag["Key"] == "Name"
        }
        model, monitor = there["vip-a"], there[MONITOR]
        subnets = self.ec2.describe_subnets()["Subnets"]
        self.table = only(self.ec2.describe_route_tables()["RouteTables"], "table")["RouteTableId"]
        for name, subnet in zip(NODES, subnets):
            launched = self.ec2.run_instances(
                ImageId=model["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1,
                SubnetId=subnet["SubnetId"],
                SecurityGroupIds=[model["SecurityGroups"][0]["GroupId"]],
                IamInstanceProfile={"Arn": monitor["IamInstanceProfile"]["Arn"]},
                TagSpecifications=[
                    {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}
                ],
            )
            instance = only(launched["Instances"], "launched instance")
            interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
            self.instances[name] = (instance["InstanceId"], interface)
            self.ec2.modify_network_interface_attribute(
                NetworkInterfaceId=interface, SourceDestCheck={"Value": False}
            )
        waiter = self.ec2.get_waiter("instance_status_ok")
        waiter.config.delay = 1
        waiter.wait(InstanceIds=[instance for instance, _ in self.instances.values()])

    def command(self, action):
        """As Pacemaker starts it: parameters in the environment, all others left at default."""
        parameters = {
            "awscli": pathlib.Path(sys.executable).with_name("aws"),
            "ip": ADDRESS,
            "routing_table": self.table,
            "interface": "eth0",
            "monapi": "true",
        }
        return [
            "env", "OCF_ROOT=%s" % self.root,
            *("OCF_RESKEY_%s=%s" % pair for pair in parameters.items()),
            "sh", str(self.root / "resource.d/heartbeat/aws-vpc-move-ip"), action,
        ]

    def agent(self, node, action, expected):
        command = self.lab.command("exec", node, "--", *self.command(action))
        done = ended(command, self.lab.environment, COMMAND_SECONDS)
        said = "%s on %s: %d\n%s%s" % (action, node, done.returncode, done.stdout, done.stderr)
        expect(done.returncode == expected, said)
        return done.stdout

    def describes_itself(self):
        text = self.agent(NODES[0], "meta-data", SUCCESS)
        expect('<resource-agent name="aws-vpc-move-ip"' in text, text)

    def starts(self, node):
        self.agent(node, "start", SUCCESS)
        tables = self.ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"]
        routes = [r for r in tables[0]["Routes"] if r.get("DestinationCidrBlock") == DESTINATION]
        route = only(routes, "route to " + DESTINATION)
        target = (route.get("InstanceId"), route.get("NetworkInterfaceId"))
        expect(target == self.instances[node], "the route leads to %s %s" % target)
        expect(ADDRESS + "/32" in self.addresses(node), "its addresses: " + self.addresses(node))
        self.lab.exec(MONITOR, "ping", "-c", "3", "-i", "0.2", "-W", "2", ADDRESS)

    def stops(self):
        node = NODES[1]
        self.agent(node, "stop", SUCCESS)
        expect(ADDRESS not in self.addresses(node), "its addresses: " + self.addresses(node))
        self.agent(node, "monitor", NOT_RUNNING)

    def addresses(self, node):
        return self.lab.exec(node, "ip", "-br", "address", "show", "dev", "eth0")

    def end(self):
        self.lab.run("down")


def run(rehome, folder, results):
    """All checks; their outcome goes to `results`."""
    story = Story(rehome, folder)
    try:
        for name, step in story.checks():
            check(name, step, results)
            if not results[-1] and step == story.up:
                break
    finally:
        check("the agent's lab ends", story.end, results)


def main():
    """By itself."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rehome", required=True, type=pathlib.Path)
    parser.add_argument("--agents", required=True, type=pathlib.Path, help="the package, unpacked")
    options = parser.parse_args()
    results = []
    run(options.rehome.resolve(), options.agents, results)
    return conclude(results)


if __name__ == "__main__":
    sys.exit(main())
