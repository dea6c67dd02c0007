#!/usr/bin/env python3
"""What `rehome iam-policy` prints is taken by the tools that would get it.

cfn-lint reads the template by AWS's own schemas, which know every action and its resources. A moto
server deploys it, and boto3 finds role, policy and instance profile as the JSON form has them. The
role inside the holder's instance profile is looked up in IAM, moto's and the lab's; where that is
refused, the command says what to do instead.
"""

import json
import pathlib
import sys
import tempfile

import contract
from lab import Lab, check, conclude, ended, expect, only, run as run_command

LINT_SECONDS = 60
ROLE = "web"
PATH = "/team/a/"
STACK = "rehome"
TEMPLATE = "user-data.sh"


class Story:
    """The checks in their order, and what one leaves for the next."""

    def __init__(self, rehome, folder):
        self.rehome = str(rehome)
        self.lab = Lab(rehome, "policy")
        self.folder = pathlib.Path(folder)
        self.moto = None
        self.side = None
        self.arguments = None
        self.template = None

    def checks(self):
        return [
            ("a lab and a moto server start", self.start),
            ("moto has the lab's picture", self.furnish),
            ("cfn-lint has nothing to say about the template", self.lint),
            ("cfn-lint would have something to say", self.lint_sees),
            ("moto deploys the template", self.deploy),
            ("the stack's role, policy and profile are those of the JSON form", self.compare),
            ("a role with another name than its profile is looked up", self.role),
            ("where IAM can't be asked, the role has to be named", self.role_named),
            ("what can't start gets no policy", self.refusals),
        ]

    def start(self):
        self.moto = contract.Moto(self.folder)
        self.lab.run("up", "--pace", "instant", "--detach")
        self.side = contract.Side("moto", self.moto.url(), "AKIAFAKEFORMOTOALONE", "fake")

    def furnish(self):
        contract.build(self.side)
        self.arguments = self.flags(self.side["vip-a"])

    def flags(self, instance, destination="10.0.0.10/32"):
        return [
            "--instance-id", instance, "--security-group", self.side["group"],
            "--keypair", self.side["key"], "--user-data-file", TEMPLATE,
            "--route-destination", destination,
            # An image of moto's maps no volumes.
            "--accept-loss", "volumes",
        ]

    def environment(self):
        """As after `lab env`, with moto in the lab's place."""
        env = {key: value for key, value in self.lab.environment.items()}
        url = self.side.ec2.meta.endpoint_url
        return dict(
            env, AWS_ENDPOINT_URL=url, AWS_DEFAULT_REGION=contract.REGION,
            AWS_ACCESS_KEY_ID="AKIAFAKEFORMOTOALONE", AWS_SECRET_ACCESS_KEY="fake",
            AWS_EC2_METADATA_DISABLED="true",
        )

    def printed(self, *more, arguments=None):
        """What the command prints, with moto for its account."""
        words = [*(arguments or self.arguments), *more]
        return self.lab.product("iam-policy", *words, environment=self.environment())

    def lint(self):
        self.template = self.printed("--format", "cloudformation")
        done = self.linted(self.template)
        expect(done.returncode == 0, done.stdout + done.stderr)

    def lint_sees(self):
        """Informational findings included: an action on a resource that it doesn't take."""
        for old, new in [
            ("ec2:ReplaceRoute", "ec2:ReplaceRoutes"), ("AWS::IAM::Role", "AWS::IAM::Roll"),
        ]:
            expect(old in self.template, old + " isn't in the template")
            done = self.linted(self.template.replace(old, new))
            expect(done.returncode != 0, "it overlooks " + new)

    def linted(self, text):
        path = self.folder / "template.json"
        path.write_text(text, encoding="utf-8")
        lint = [str(pathlib.Path(sys.executable).with_name("cfn-lint")), "-c", "I", "--", str(path)]
        return ended(lint, self.lab.environment, LINT_SECONDS)

    def deploy(self):
        stacks = self.side.client("cloudformation")
        stacks.create_stack(
            StackName=STACK, TemplateBody=self.template, Capabilities=["CAPABILITY_IAM"]
        )
        stack = only(stacks.describe_stacks(StackName=STACK)["Stacks"], "stack")
        expect(stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatus"])

    def compare(self):
        whole = json.loads(self.printed())
        iam, stacks = self.side.client("iam"), self.side.client("cloudformation")
        kinds = {}
        for resource in stacks.list_stack_resources(StackName=STACK)["StackResourceSummaries"]:
            kinds.setdefault(resource["ResourceType"], []).append(resource["PhysicalResourceId"])
        expect(sum(map(len, kinds.values())) == 3, "the stack has %s" % kinds)
        profile_name = only(kinds["AWS::IAM::InstanceProfile"], "instance profile")
        profile = iam.get_instance_profile(InstanceProfileName=profile_name)["InstanceProfile"]
        role = only(profile["Roles"], "role of the profile")
        expect([role["RoleName"]] == kinds["AWS::IAM::Role"], "another role: %s" % role)
        trust = role["AssumeRolePolicyDocument"]
        wanted = whole["Role"]["AssumeRolePolicyDocument"]
        expect(trust == wanted, "trust: %s" % trust)
        attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
        arn = only(attached, "policy of the role")["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        policy = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        document = only(whole["Policies"], "policy")["PolicyDocument"]
        expect(policy["Document"] == document, "another policy: %s" % policy["Document"])
        expect(json.loads(self.printed("--only", "policy")) == document, "--only policy differs")
        expect(json.loads(self.printed("--only", "trust")) == wanted, "--only trust differs")

    def role(self):
        """A holder with a role, in moto."""
        iam = self.side.client("iam")
        iam.create_role(RoleName=ROLE, Path=PATH, AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="profile-of-" + ROLE, Path=PATH)
        iam.add_role_to_instance_profile(
            InstanceProfileName="profile-of-" + ROLE, RoleName=ROLE
        )
        contract.place(self.side, "vip-r", "a", "172.31.48.20", "10.0.0.20",
                       IamInstanceProfile={"Name": "profile-of-" + ROLE})
        flags = self.flags(self.side["vip-r"], "10.0.0.20/32")
        document = json.loads(self.printed("--only", "policy", arguments=flags))
        passed = only([s for s in document["Statement"] if s["Sid"] == "HoldersRole"], "role")
        arn = "arn:aws:iam::%s:role%s%s" % (self.side["account"], PATH, ROLE)
        expect(passed["Resource"] == [arn], "the role: %s" % passed["Resource"])
        expect(passed["Action"] == ["iam:PassRole"], "the action: %s" % passed["Action"])

    def role_named(self):
        """A holder with a role, in the lab: the monitor's profile on a machine of its own."""
        ec2 = self.lab.client("ec2")
        instances = {
            tag["Value"]: instance
            for reservation in ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            for tag in instance["Tags"] if tag["Key"] == "Name"
        }
        holder, monitor = instances["vip-a"], instances["monitor"]
        launched = ec2.run_instances(
            ImageId=holder["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1,
            SubnetId=holder["SubnetId"],
            SecurityGroupIds=[holder["SecurityGroups"][0]["GroupId"]],
            IamInstanceProfile={"Arn": monitor["IamInstanceProfile"]["Arn"]},
        )
        flags = [
            "--instance-id", launched["Instances"][0]["InstanceId"],
            "--security-group", holder["SecurityGroups"][0]["GroupId"],
            "--user-data-file", TEMPLATE, "--route-destination", "10.0.0.30/32",
        ]
        env = self.lab.host_environment()
        arn = "arn:aws:iam::000000000000:role/web"
        holders = json.loads(run_command([self.rehome, "iam-policy", *flags], env, LINT_SECONDS))
        role = json.dumps(only(holders["Policies"], "policy"))
        expect('role/EC2ControllerRole"' in role, role)
        self.lab.run("fault", "add", "--action", "GetInstanceProfile", "--deny")
        done = ended([self.rehome, "iam-policy", *flags], env, LINT_SECONDS)
        expect(done.returncode == 2 and not done.stdout, done.stdout + done.stderr)
        expect("iam:GetInstanceProfile" in done.stderr, done.stderr)
        expect("--holder-role" in done.stderr, done.stderr)
        document = run_command(
            [self.rehome, "iam-policy", *flags, "--holder-role", arn, "--only", "policy"],
            env, LINT_SECONDS,
        )
        expect('"%s"' % arn in document, document)

    def refusals(self):
        env = self.environment()
        for more, said in [
            (["--format", "cloudformation", "--only", "policy"], "--only names a document"),
            (["--holder-role", "web"], "not the ARN of a role"),
            (["--subnet", "subnet-0123456789abcdef0"], "is not one of the holder's VPC"),
        ]:
            done = ended([self.rehome, "iam-policy", *self.arguments, *more], env, LINT_SECONDS)
            expect(done.returncode == 2 and not done.stdout, "%s: %s" % (more, done))
            expect(said in done.stderr, "%s: %s" % (more, done.stderr))

    def end(self):
        try:
            if self.moto:
                self.moto.end()
        finally:
            self.lab.run("down")


def run(rehome, results):
    """All checks; their outcome goes to `results`."""
    with tempfile.TemporaryDirectory(prefix="rehome-policy-") as folder:
        story = Story(rehome, folder)
        try:
            for name, step in story.checks():
                check(name, step, results)
                if not results[-1] and step in (story.start, story.furnish, story.lint):
                    break
        finally:
            check("moto and the policy's lab end", story.end, results)


def main():
    """By itself: `policy.py REHOME`."""
    results = []
    run(pathlib.Path(sys.argv[1]).resolve(), results)
    return conclude(results)


if __name__ == "__main__":
    sys.exit(main())
