"""What the benchmarks share: certificates, simulated devices, running a program, and telling figures."""

import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")).resolve()
BUILT = TARGET / "release"

NAME = "gp.example.com"
ADMINISTRATOR = "cert-deploy"
API_KEY = "LUFRPT1-key-of-the-benchmark=="
PROFILES = ("GP portal", "GP gateway")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificates(work):
    """A CA; an RSA-2048 certificate for the device's management port; one more to deploy."""
    ca = ("-CA", work / "ca.crt", "-CAkey", work / "ca.key")
    common = ("req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "30")
    openssl(*common, "-subj", "/CN=Example CA", "-keyout", work / "ca.key", "-out", work / "ca.crt")
    for stem, name in (("device", "localhost"), (NAME, NAME)):
        openssl(*common, *ca, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                "-addext", "basicConstraints=critical,CA:FALSE",
                "-keyout", work / f"{stem}.key", "-out", work / f"{stem}.crt")
    (work / f"{NAME}.key").chmod(0o600)


def write_private(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


class Device:
    """A running simulator."""

    def __init__(self, work, number, job):
        self.log = work / f"requests-{number}"
        settings = work / f"device-{number}.toml"
        settings.write_text(
            f"commit_duration = {job}\n"
            f'[management_certificate]\nkind = "given"\n'
            f'certificate = "{work}/device.crt"\nkey = "{work}/device.key"\n')
        profiles = [word for profile in PROFILES for word in ("--profile", profile)]
        self.process = subprocess.Popen(
            [TARGET / "release/panos-sim", "--config", settings, "--request-log", self.log, *profiles,
             "--admin", f"{ADMINISTRATOR}:secret", "--api-key", f"{ADMINISTRATOR}:{API_KEY}"],
            stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["address"].rsplit(":", 1)[1]
        self.address = f"localhost:{self.port}"
        self.read = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def news(self):
        """The requests since the last time."""
        lines = self.log.read_text().splitlines()
        new, self.read = lines[self.read:], len(lines)
        return [json.loads(line) for line in new]


def settings(work, job, further=""):
    """A firewall with two profiles, and an administrator with a key."""
    profiles = "".join(f'[[profiles]]\nname = "{profile}"\n' for profile in PROFILES)
    return (f"commit_duration = {job}\n{further}"
            f'[management_certificate]\nkind = "given"\n'
            f'certificate = "{work}/device.crt"\nkey = "{work}/device.key"\n'
            f'[[administrators]]\nname = "{ADMINISTRATOR}"\npassword = "secret"\n'
            f'[[api_keys]]\nadministrator = "{ADMINISTRATOR}"\nkey = "{API_KEY}"\n{profiles}')


def instcert(work, *arguments, state="state"):
    """With a state of its own a name may take the profiles that another one has there."""
    return [BUILT / "pan_instcert", "-b", "--json", "-c", NAME, "-C", work, "-K", work, "-k", work / "key",
            "--ca-file", work / "ca.crt", "-p", PROFILES[0], "-s", PROFILES[1],
            "--config", work / "config", "--log-file", work / "log", "--state-dir", work / state, *arguments]


class Fleet:
    """Many simulated firewalls in one process."""

    def __init__(self, work, count, job, tables=""):
        self.logs = [work / f"fleet-requests-{number}" for number in range(count)]
        files = []
        for number, log in enumerate(self.logs):
            files.append(work / f"fleet-{number}.toml")
            files[-1].write_text(settings(work, job, f'hostname = "fw-{number}"\nserial = "{number:015}"\n'
                                          f'request_log = "{log}"\n') + tables)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.process = subprocess.Popen(
            [BUILT / "panos-sim", "--config", files[0], *(word for file in files[1:] for word in ("--manage", file))],
            stdout=subprocess.PIPE, text=True)
        # What is measured gets what a shell or systemd gives.
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
        ready = json.loads(self.process.stdout.readline())
        devices = [ready, *ready.get("managed", [])]
        self.addresses = ["localhost:" + device["address"].rsplit(":", 1)[1] for device in devices]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def cpu(self):
        """User and system time of the simulator until now, ms."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def requests(self, number):
        """What a firewall was asked."""
        return [json.loads(line) for line in self.logs[number].read_text().splitlines()]


class Failed(Exception):
    """A tool did not do its work."""


def run(command, environment, output):
    """Runs a command; its wall time in ms and its resource usage."""
    with open(output, "wb") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = (time.perf_counter() - begun) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failed(f"{command[0]} failed with {process.returncode}: {Path(output).read_text()}")
    return wall, usage


def run_alone(command, output, environment=None):
    """As run, and what the process alone takes of memory: a small shell starts it and goes away, and the orphan comes
    to us with its resource usage. A child of ours would inherit the size of this interpreter as its first peak."""
    with open(output, "wb") as out:
        begun = time.perf_counter()
        subprocess.run(["sh", "-c", '"$@" &', "sh", *command], env=environment, stdout=out,
                       stderr=subprocess.STDOUT, check=True)
        _, status, usage = os.wait4(-1, 0)
        wall = (time.perf_counter() - begun) * 1000
    return wall, usage, os.waitstatus_to_exitcode(status)


def cpu(usage):
    return (usage.ru_utime + usage.ru_stime) * 1000


def adopt_orphans():
    PR_SET_CHILD_SUBREAPER = 36
    return ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def spread(values, places):
    low, middle, high = min(values), statistics.median(values), max(values)
    return "".join(f"{value:9.{places}f}" for value in (low, middle, high))


def ratio(others, ours):
    """The median of the ratios pair by pair."""
    pairs = [other / own for other, own in zip(others, ours) if own]
    return f"{statistics.median(pairs):9.1f}" if pairs else f"{'':>9}"
