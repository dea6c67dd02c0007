#!/usr/bin/env python3
"""Strangers in a lab: clients that know EC2 and nothing of rehome do their job in one.

Brings a lab up, runs an operator's own boto3 script (failover.py) on its monitoring machine, ends
the instance that holds the overlay address, and looks at the outcome with the lab's own eyes and
with the AWS CLI, from inside and from this host. Then, each in a lab of its own: clients.py uses
and abuses the whole API, recorded.py holds every call of a failover against AWS's model and against
the printed policy, policy.py has that policy deployed, agent.py lets Pacemaker's agent move an
address, and contract.py puts the same calls to a lab and to moto; templates.py puts templates to
rehome and to Jinja2. Prints each check, then `N passed, N failed`; exit 0 only if none failed.
Called by `cargo xtask test` with the Python of the strangers' venv.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import agent
import clients
import contract
import policy
import recorded
import templates
from lab import COMMAND_SECONDS, Failed, Lab, check, conclude, expect, only, run

HERE = pathlib.Path(__file__).resolve().parent
OVERLAY = "10.0.0.10"
DESTINATION = OVERLAY + "/32"
HOLDER = "vip-a"
MONITOR = "monitor"

UP_SECONDS = 120
FAILOVER_SECONDS = 300
# The AWS CLI is slow to start on a busy machine.
CLI_SECONDS = 90


class Story:
    """The checks in their order, and what one leaves for the next."""

    def __init__(self, lab, folder):
        self.lab = lab
        self.log_path = pathlib.Path(folder, "failover.log")
        self.aws = pathlib.Path(sys.executable).with_name("aws")
        self.failover = None
        self.old = None
        self.old_id = None
        self.new = None
        self.group = None
        self.key = None

    def checks(self):
        return [
            ("a lab comes up at the fast pace, detached", self.up),
            ("the monitor reaches the overlay address", self.monitor_reaches_overlay),
            ("the AWS CLI on this host finds the holder", self.cli_on_host),
            ("the boto3 script watches a healthy holder", self.script_watches),
            ("the holder crashes and the script fails over", self.script_fails_over),
            ("every route points to the new instance", self.routes_moved),
            ("the old instance is terminated", self.old_is_terminated),
            ("the new instance forwards and has the overlay address", self.new_is_configured),
            ("the monitor reaches the overlay address again", self.monitor_reaches_overlay),
            ("the AWS CLI on the monitor finds the new instance", self.cli_inside),
            ("an unknown action answers as EC2 does", self.unknown_action),
        ]

    def up(self):
        self.lab.run("up", "--pace", "fast", "--detach", seconds=UP_SECONDS)
        instances = self.lab.status()["instances"]
        self.old = only([i for i in instances if i["name"] == HOLDER], "instance " + HOLDER)
        self.old_id = self.old["id"]

    def monitor_reaches_overlay(self):
        deadline = time.monotonic() + COMMAND_SECONDS
        while True:
            try:
                return self.lab.exec(MONITOR, "ping", "-c", "1", "-W", "2", OVERLAY)
            except Failed:
                # Guests may still be booting.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def cli_on_host(self):
        query = "Reservations[].Instances[].[InstanceId,SecurityGroups[0].GroupId,KeyName]"
        filters = "Name=tag:Name,Values=" + HOLDER
        output = run(
            [
                str(self.aws), "ec2", "describe-instances",
                "--filters", filters, "--query", query, "--output", "text",
            ],
            self.lab.host_environment(),
            CLI_SECONDS,
        )
        found, self.group, self.key = only(output.split("\n")[:-1], "instance").split()
        expect(found == self.old_id, "%s is not %s" % (found, self.old_id))

    def script_watches(self):
        expect(self.group and self.key, "no security group and key pair to start the script with")
        arguments = [
            sys.executable, str(HERE / "failover.py"),
            "--instance-id", self.old_id,
            "--security-group", self.group,
            "--keypair", self.key,
            "--user-data-file", str(HERE / "userdata.sh"),
            "--route-destination", DESTINATION,
            "--once", "--debug",
        ]
        with open(self.log_path, "wb") as log:
            self.failover = subprocess.Popen(
                self.lab.command("exec", MONITOR, "--", *arguments),
                env=self.lab.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        healthy = "Instance %s" % self.old_id
        deadline = time.monotonic() + COMMAND_SECONDS
        while True:
            log = self.log()
            if any(healthy in line and "PING: REACHABLE" in line for line in log.splitlines()):
                return
            expect(self.failover.poll() is None, "the script has ended:\n" + log)
            expect(time.monotonic() < deadline, "no healthy line in time:\n" + log)
            time.sleep(0.2)

    def script_fails_over(self):
        expect(self.failover is not None, "the script was never started")
        self.lab.run("break", HOLDER, "crash")
        try:
            code = self.failover.wait(FAILOVER_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Failed("no failover in %d s:\n%s" % (FAILOVER_SECONDS, self.log())) from error
        expect(code == 0, "the script ended with %d:\n%s" % (code, self.log()))

    def routes_moved(self):
        status = self.lab.status()
        moved = []
        for table in status["route_tables"]:
            for route in table["routes"]:
                if route["destination"] == DESTINATION:
                    moved.append((table["id"], route))
        expect(moved, "no table has a route for " + DESTINATION)
        targets = {route["instance"] for _, route in moved}
        new_id = only(list(targets), "instance that the routes point to")
        expect(new_id and new_id != self.old_id, "the routes still point to %s" % self.old_id)
        for table_id, route in moved:
            expect(route["state"] == "active", "%s: %s" % (table_id, route))
        instances = status["instances"]
        self.new = only([i for i in instances if i["id"] == new_id], "instance " + new_id)
        expect(self.new["az"] != self.old["az"], "the new instance is in the same zone")
        for _, route in moved:
            expect(route["eni"] == self.new["eni"], "%s is not of %s" % (route, new_id))

    def old_is_terminated(self):
        # EC2 forgets terminated instances after a while.
        left = [i for i in self.lab.status()["instances"] if i["id"] == self.old_id]
        expect(all(i["state"] == "terminated" for i in left), "still there: %s" % left)

    def new_is_configured(self):
        expect(self.new is not None, "there is no new instance")
        expect(self.new["state"] == "running", "state: %s" % self.new["state"])
        expect(self.new["source_dest_check"] is False, "source/dest check is on")
        addresses = [address.split("/")[0] for address in self.new["addresses"]]
        expect(OVERLAY in addresses, "its addresses: %s" % addresses)

    def cli_inside(self):
        expect(self.new is not None, "there is no new instance")
        output = self.lab.exec(
            MONITOR, sys.executable, self.aws, "ec2", "describe-instances",
            "--instance-ids", self.new["id"],
            "--query", "Reservations[0].Instances[0].State.Name", "--output", "text",
            seconds=CLI_SECONDS,
        )
        expect(output.strip() == "running", "the AWS CLI says: %s" % output.strip())

    def unknown_action(self):
        """By a signed request of our own: no client would send one."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        from botocore.httpsession import URLLib3Session

        env = self.lab.host_environment()
        endpoint = env.get("AWS_ENDPOINT_URL") or env["AWS_ENDPOINT_URL_EC2"]
        region = env.get("AWS_REGION") or env["AWS_DEFAULT_REGION"]
        request = AWSRequest(
            method="POST",
            url=endpoint,
            data="Action=RehearseInstances&Version=2016-11-15",
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )
        keys = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        SigV4Auth(keys, "ec2", region).add_auth(request)
        answer = URLLib3Session(timeout=COMMAND_SECONDS).send(request.prepare())
        expect(answer.status_code == 400, "HTTP status %d" % answer.status_code)
        expect("<Code>InvalidAction</Code>" in answer.text, answer.text)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def end(self):
        """The lab goes down whatever happened, and the script in it with it."""
        self.lab.run("down")
        if self.failover is not None and self.failover.poll() is None:
            try:
                self.failover.wait(COMMAND_SECONDS)
            except subprocess.TimeoutExpired as error:
                self.failover.kill()
                self.failover.wait()
                raise Failed("the script outlived its lab") from error


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rehome", required=True, type=pathlib.Path, help="the binary to test")
    parser.add_argument(
        "--agents", required=True, type=pathlib.Path, help="resource-agents, unpacked"
    )
    options = parser.parse_args()
    rehome = options.rehome.resolve()
    results = []
    with tempfile.TemporaryDirectory(prefix="rehome-strangers-") as folder:
        story = Story(Lab(rehome, "strangers"), folder)
        try:
            for name, step in story.checks():
                check(name, step, results)
                if name == story.checks()[0][0] and not results[-1]:
                    break
        finally:
            check("the lab goes down and takes the script along", story.end, results)
            check("nothing answers under its name any more", story.lab.is_gone, results)
    clients.run(rehome, results)
    recorded.run(rehome, results)
    policy.run(rehome, results)
    agent.run(rehome, options.agents, results)
    contract.run(rehome, results)
    templates.run(rehome, results)
    return conclude(results)


if __name__ == "__main__":
    sys.exit(main())
