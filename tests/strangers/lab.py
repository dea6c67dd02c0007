"""What the tests here share: a lab of their own, commands with a time limit, checks by name."""

import json
import os
import subprocess
import time

COMMAND_SECONDS = 60


class Failed(Exception):
    """What a check saw instead of what it expected."""


class Lab:
    """One lab of its own name, driven by the binary's own commands."""

    def __init__(self, rehome, name):
        self.rehome = str(rehome)
        self.name = "%s-%d" % (name, os.getpid())
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = dict(kept, REHOME_LAB=self.name)

    def command(self, *words):
        return [self.rehome, "lab", *words]

    def run(self, *words, seconds=COMMAND_SECONDS):
        """The standard output of a lab command that succeeds within its time."""
        return run(self.command(*words), self.environment, seconds)

    def exec(self, instance, *words, seconds=COMMAND_SECONDS):
        return self.run("exec", instance, "--", *map(str, words), seconds=seconds)

    def status(self):
        return json.loads(self.run("status", "--json"))

    def host_environment(self):
        """What a shell on this host has after `eval "$(rehome lab env)"`, and no other AWS_*."""
        script = 'eval "$("$0" lab env)" && env -0'
        shell = ["sh", "-c", script, self.rehome]
        pairs = run(shell, self.environment, COMMAND_SECONDS).split("\0")
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def product(self, *words, seconds=COMMAND_SECONDS, environment=None):
        """What a command of rehome itself prints on this host, with this lab for its account."""
        return run([self.rehome, *words], environment or self.host_environment(), seconds)

    def client(self, service):
        """A boto3 client of this lab, on this host. Tests retry for themselves."""
        import boto3
        from botocore.config import Config

        env = self.host_environment()
        session = boto3.session.Session(
            env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"],
            region_name=env["AWS_DEFAULT_REGION"],
        )
        return session.client(service, endpoint_url=env["AWS_ENDPOINT_URL"],
                              config=Config(proxies={}))

    def is_gone(self):
        try:
            self.run("status", "--json")
        except Failed as error:
            expect("took longer" not in str(error), str(error))
            return
        raise Failed("the lab still answers")


def ended(command, environment, seconds):
    """How a command ends, whatever its exit code."""
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed("`%s` took longer than %d s" % (" ".join(command), seconds)) from error


def run(command, environment, seconds):
    """The standard output of a command that succeeds."""
    done = ended(command, environment, seconds)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise Failed("`%s` ended with %d: %s" % (" ".join(command), done.returncode, said))
    return done.stdout


def expect(condition, what):
    if not condition:
        raise Failed(what)


def only(things, what):
    expect(len(things) == 1, "expected one %s, found %d" % (what, len(things)))
    return things[0]


def check(name, step, results):
    start = time.monotonic()
    wrong = None
    try:
        step()
    except Exception as error:  # a check that breaks has failed, and the lab must still go down
        wrong = "%s" % error if isinstance(error, Failed) else "%r" % error
    results.append(wrong is None)
    verdict = "ok" if wrong is None else "FAILED"
    print("%-6s %5.1f s  %s" % (verdict, time.monotonic() - start, name), flush=True)
    if wrong is not None:
        print("    " + wrong.replace("\n", "\n    "), flush=True)


def conclude(results):
    """The last line, and the exit status."""
    failed = results.count(False)
    print("%d passed, %d failed" % (results.count(True), failed), flush=True)
    return 1 if failed else 0
