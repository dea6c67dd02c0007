#!/usr/bin/env python3
"""A failover step by step, as a list of instructions has it: the other side of a comparison.

Looks at one instance every five seconds (EC2 state, one ping of the overlay address). At the first
sign of trouble: launch in another availability zone, wait for the status checks with boto3's own
waiter, wait 30 seconds for the user data, switch the source/dest check off, delete and create the
route in every table that has it, terminate the old instance. Every wait is where the list puts it;
nothing is slower than written. `cargo xtask bench outage` runs it beside `rehome run`, measures
both with the same outside client and reads the phases from the lines that it prints. It is an
instrument for measuring, not an example.
"""

import argparse
import ipaddress
import pathlib
import subprocess
import sys
import time

import boto3
import jinja2
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

CHECK_EVERY_SECONDS = 5
PING_SECONDS = 1
USER_DATA_SECONDS = 30


def say(text):
    print(time.strftime("[%Y-%m-%d %H:%M:%S]"), text, flush=True)


def reachable(address):
    command = ["ping", "-c", "1", "-W", str(PING_SECONDS), address]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def describe(ec2, instance_id):
    answer = ec2.describe_instances(InstanceIds=[instance_id])
    return answer["Reservations"][0]["Instances"][0]


def watch(ec2, options, address):
    """The instance as it was last described, and what is wrong with it, once something is."""
    while True:
        instance = describe(ec2, options.instance_id)
        state = instance["State"]["Name"]
        answers = reachable(address)
        say(
            "Instance %s (%s) in AZ %s - %s, PING: %s"
            % (
                options.instance_id,
                instance.get("PrivateIpAddress", "no address"),
                instance["Placement"]["AvailabilityZone"],
                state.upper(),
                "REACHABLE" if answers else "UNREACHABLE",
            )
        )
        if state != "running":
            return instance, "state " + state
        if not answers:
            return instance, "unreachable"
        time.sleep(CHECK_EVERY_SECONDS)


def subnet_elsewhere(ec2, old):
    """The first subnet of the same VPC in another zone."""
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [old["VpcId"]]}])
    own = old["Placement"]["AvailabilityZone"]
    others = [one for one in subnets["Subnets"] if one["AvailabilityZone"] != own]
    if not others:
        raise RuntimeError("no subnet in another availability zone")
    return min(others, key=lambda one: one["AvailabilityZone"])


def launch(ec2, options, old, address):
    subnet = subnet_elsewhere(ec2, old)
    say("Launching new instance in AZ: " + subnet["AvailabilityZone"])
    template = pathlib.Path(options.user_data_file).read_text(encoding="utf-8")
    user_data = jinja2.Template(template, keep_trailing_newline=True).render(
        AZ_SUBNET_DEF_ROUTE=str(ipaddress.ip_network(subnet["CidrBlock"])[1]),
        ROUTE_DESTINATION=address,
    )
    answer = ec2.run_instances(
        ImageId=old["ImageId"],
        InstanceType=old["InstanceType"],
        KeyName=options.keypair,
        SecurityGroupIds=[options.security_group],
        SubnetId=subnet["SubnetId"],
        UserData=user_data,
        MinCount=1,
        MaxCount=1,
    )
    new = answer["Instances"][0]["InstanceId"]
    say("New instance %s launched" % new)
    return new


def wait(ec2, new):
    say("Waiting for instance status checks to pass...")
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=[new])
    say("Instance status checks passed")
    say(
        "Waiting %d seconds for user data script to configure secondary IP..." % USER_DATA_SECONDS
    )
    time.sleep(USER_DATA_SECONDS)


def update_routes(ec2, options, old, new):
    say("Updating static routes...")
    for interface in describe(ec2, new)["NetworkInterfaces"]:
        ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface["NetworkInterfaceId"], SourceDestCheck={"Value": False}
        )
    destination = options.route_destination
    filters = [{"Name": "vpc-id", "Values": [old["VpcId"]]}]
    for table in ec2.describe_route_tables(Filters=filters)["RouteTables"]:
        if destination in [route.get("DestinationCidrBlock") for route in table["Routes"]]:
            table_id = table["RouteTableId"]
            place = {"RouteTableId": table_id, "DestinationCidrBlock": destination}
            ec2.delete_route(**place)
            ec2.create_route(InstanceId=new, **place)
            say("Added route %s -> %s in route table %s" % (destination, new, table_id))


def main():
    parser = argparse.ArgumentParser(description="One failover, step by step.")
    parser.add_argument("--instance-id", required=True)
    parser.add_argument("--security-group", required=True)
    parser.add_argument("--keypair", required=True)
    parser.add_argument("--user-data-file", required=True)
    parser.add_argument("--route-destination", required=True)
    options = parser.parse_args()
    address = options.route_destination.split("/")[0]
    try:
        ec2 = boto3.client("ec2")
        old, reason = watch(ec2, options, address)
        say("Launching replacement due to: " + reason)
        new = launch(ec2, options, old, address)
        wait(ec2, new)
        update_routes(ec2, options, old, new)
        ec2.terminate_instances(InstanceIds=[options.instance_id])
        say("Old instance %s terminated" % options.instance_id)
        say("Now monitoring instance " + new)
    except (ClientError, BotoCoreError, WaiterError, RuntimeError) as error:
        say("FAILED: %s" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
