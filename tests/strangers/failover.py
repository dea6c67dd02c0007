#!/usr/bin/env python3
"""An operator's own failover script: boto3, a forked ping, and no idea that there is a lab.

It stands for the scripts that operators run today, so it is written as they are: it watches one
instance by its EC2 state and by pinging the overlay address, launches a replacement in another
availability zone, waits with boto3's waiters, repoints the routes by instance id (delete, then
create) and terminates the old instance. It is an instrument for testing, not an example: rehome
does each of these steps in a safer way.
"""

import argparse
import ipaddress
import os
import subprocess
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

try:
    import jinja2
except ImportError:
    jinja2 = None

# Two minutes for each wait, at a pace that EC2's request limits don't mind.
WAITER = {"Delay": 3, "MaxAttempts": 40}
# One lost packet is not a failure.
FAILURES_BEFORE_FAILOVER = 3
VERIFY_SECONDS = 90


def say(text):
    print(time.strftime("[%Y-%m-%d %H:%M:%S]"), text, flush=True)


def ping(address):
    command = ["ping", "-c", "1", "-W", "2", address]
    return subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0


class Failover:
    def __init__(self, options):
        self.options = options
        self.address = options.route_destination.split("/")[0]
        self.ec2 = boto3.client("ec2")
        self.current = options.instance_id
        self.described = None

    def debug(self, text):
        if self.options.debug:
            say("debug: " + text)

    def describe(self, instance_id):
        reservations = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return reservations[0]["Instances"][0]

    def failure(self):
        """Why the current instance has failed just now, None if it hasn't."""
        instance = self.describe(self.current)
        state = instance["State"]["Name"]
        if state == "running":
            self.described = instance
        reachable = ping(self.address)
        say(
            "Instance %s (%s) in AZ %s - %s, PING: %s"
            % (
                self.current,
                instance.get("PrivateIpAddress", "no address"),
                instance["Placement"]["AvailabilityZone"],
                state.upper(),
                "REACHABLE" if reachable else "UNREACHABLE",
            )
        )
        if state != "running":
            return "state is " + state
        return None if reachable else "unreachable"

    def user_data(self, subnet):
        gateway = str(ipaddress.ip_network(subnet["CidrBlock"])[1])
        values = {"AZ_SUBNET_DEF_ROUTE": gateway, "ROUTE_DESTINATION": self.address}
        with open(self.options.user_data_file, encoding="utf-8") as file:
            text = file.read()
        if jinja2:
            return jinja2.Template(text, keep_trailing_newline=True).render(**values)
        for name, value in values.items():
            text = text.replace("{{%s}}" % name, value).replace("{{ %s }}" % name, value)
        return text

    def choose_subnets(self):
        """One subnet in every other zone that is available."""
        own_zone = self.described["Placement"]["AvailabilityZone"]
        zones = self.ec2.describe_availability_zones(
            Filters=[{"Name": "state", "Values": ["available"]}]
        )["AvailabilityZones"]
        for zone in zones:
            if zone["ZoneName"] == own_zone:
                continue
            subnets = self.ec2.describe_subnets(
                Filters=[
                    {"Name": "vpc-id", "Values": [self.described["VpcId"]]},
                    {"Name": "availability-zone", "Values": [zone["ZoneName"]]},
                ]
            )["Subnets"]
            if subnets:
                yield subnets[0]

    def launch(self):
        for subnet in self.choose_subnets():
            say("Launching new instance in AZ: " + subnet["AvailabilityZone"])
            try:
                answer = self.ec2.run_instances(
                    ImageId=self.described["ImageId"],
                    InstanceType=self.described["InstanceType"],
                    KeyName=self.options.keypair,
                    SecurityGroupIds=[self.options.security_group],
                    SubnetId=subnet["SubnetId"],
                    UserData=self.user_data(subnet),
                    MinCount=1,
                    MaxCount=1,
                    TagSpecifications=[
                        {
                            "ResourceType": "instance",
                            "Tags": [{"Key": "Name", "Value": "failover-replacement"}],
                        }
                    ],
                )
            except ClientError as error:
                say("Launch refused: %s" % error)
                continue
            instance_id = answer["Instances"][0]["InstanceId"]
            say("New instance %s launched" % instance_id)
            return instance_id
        raise RuntimeError("no availability zone took the launch")

    def prepare(self, instance_id):
        self.ec2.get_waiter("instance_running").wait(
            InstanceIds=[instance_id], WaiterConfig=WAITER
        )
        say("Waiting for instance status checks to pass...")
        self.ec2.get_waiter("instance_status_ok").wait(
            InstanceIds=[instance_id], WaiterConfig=WAITER
        )
        say("Instance status checks passed")
        for interface in self.describe(instance_id)["NetworkInterfaces"]:
            self.ec2.modify_network_interface_attribute(
                NetworkInterfaceId=interface["NetworkInterfaceId"],
                SourceDestCheck={"Value": False},
            )

    def update_routes(self, instance_id):
        say("Updating static routes...")
        destination = self.options.route_destination
        tables = self.ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [self.described["VpcId"]]}]
        )["RouteTables"]
        updated = 0
        for table in tables:
            routes = [route.get("DestinationCidrBlock") for route in table["Routes"]]
            if destination not in routes:
                continue
            table_id = table["RouteTableId"]
            self.ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock=destination)
            self.ec2.create_route(
                RouteTableId=table_id, DestinationCidrBlock=destination, InstanceId=instance_id
            )
            say("Added route %s -> %s in route table %s" % (destination, instance_id, table_id))
            updated += 1
        if not updated:
            raise RuntimeError("no route table has a route for " + destination)

    def fail_over(self, reason):
        old = self.current
        say("Launching replacement due to: " + reason)
        new = self.launch()
        self.prepare(new)
        self.update_routes(new)
        self.ec2.terminate_instances(InstanceIds=[old])
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=[old], WaiterConfig=WAITER)
        say("Old instance %s terminated" % old)
        self.current = new
        self.verify()
        say("Now monitoring instance " + new)

    def verify(self):
        deadline = time.monotonic() + VERIFY_SECONDS
        while not ping(self.address):
            if time.monotonic() > deadline:
                raise RuntimeError("%s does not answer from its new home" % self.address)
            time.sleep(1)
        say("%s answers" % self.address)

    def watch(self):
        failures = 0
        while True:
            try:
                reason = self.failure()
            except (ClientError, BotoCoreError) as error:
                # Not knowing is not a failure of the instance.
                say("Cannot read EC2: %s" % error)
                reason = None
            failures = failures + 1 if reason else 0
            self.debug("%d failures in a row" % failures)
            if self.described and failures >= FAILURES_BEFORE_FAILOVER:
                self.fail_over(reason)
                failures = 0
                if self.options.once:
                    return
            time.sleep(self.options.interval)


def main():
    parser = argparse.ArgumentParser(description="Fails an overlay address over on EC2.")
    parser.add_argument("--instance-id", required=True)
    parser.add_argument("--security-group", required=True)
    parser.add_argument("--keypair", required=True)
    parser.add_argument("--user-data-file", required=True)
    parser.add_argument("--route-destination", required=True)
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--once", action="store_true", help="end after one failover")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between checks")
    options = parser.parse_args()
    if not os.access(options.user_data_file, os.R_OK):
        parser.error("cannot read %s" % options.user_data_file)
    try:
        Failover(options).watch()
    except (ClientError, BotoCoreError, WaiterError, RuntimeError) as error:
        say("FAILED: %s" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
