"""A network of its own for one daemon: a bridge with 10.77.0.1/24, and programs run inside."""

import os
import re
import select
import socket
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
READY_SECONDS = 60
NETWORK = """
ip link set lo up
ip link add br0 type bridge
ip link add port0 type veth peer name port1
ip link set port0 master br0
ip link set port0 up
ip link set port1 address 52:54:00:00:00:01
ip link set port1 up
ip address add 10.77.0.1/24 dev br0
ip link set br0 up
echo made
exec cat
"""
SCRIPT_URL = "http://10.77.0.1/boot/script?mac=52-54-00-00-00-01&platform=pcbios"
LEASE_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/32" dev "$interface"
echo "leased $ip"
"""
CONFIGURATION = """
[site]
state_dir = "{path}/state"
[[subnet]]
interface = "br0"
ranges = ["10.77.0.50-10.77.0.99"]
other_servers = "ignore"
[boot]
stack = "{path}/stack"
programs = "{path}/programs"
[web]
listen = ["127.0.0.1:8443"]
"""


class Namespace:
    """Lives until it is closed; what runs in it is the business of who started it."""

    def __init__(self):
        argv = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-e", "-c", NETWORK]
        self._keeper = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._keeper.stdout.readline() == "made\n"
        self._enter = [
            "nsenter",
            "--target",
            str(self._keeper.pid),
            "--user",
            "--net",
            "--mount",
            "--preserve-credentials",
        ]

    def inside(self, *argv):
        """The command line that runs this one inside."""
        return [*self._enter, *map(str, argv)]

    def popen(self, *argv, **kwargs):
        return subprocess.Popen(self.inside(*argv), **kwargs)

    def run(self, *argv):
        """Standard output of a program that must succeed."""
        command = [*self._enter, *map(str, argv)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    def curl(self, url, *arguments):
        """(status, body)"""
        said = self.run("curl", "--silent", "--insecure", "--write-out", "\n%{http_code}", *arguments, url)
        body, _, status = said.rpartition("\n")
        return int(status), body

    def close(self):
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()


class Daemon:
    """The real daemon on the files below ``path``."""

    def __init__(self, namespace, path):
        self.namespace, self.path, self.process = namespace, path, None
        self.under = ()
        """What it is started by, if not directly."""
        for name, files in (("stack", ("vmlinuz", "initrd")), ("programs", ("undionly.kpxe",))):
            (path / name).mkdir(parents=True)
            for file in files:
                (path / name / file).write_bytes(file.encode() * 1000)
        self.config = path / "qrm.toml"
        self.config.write_text(CONFIGURATION.format(path=path))
        self.log = path / "log"

    def configure(self, old, new):
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def spawn(self, **environment):
        log = self.log.open("ab")
        argv = [*self.under, sys.executable, "-m", "appliance", "serve", "--config", self.config]
        env = {**os.environ, **environment}
        with log:
            self.process = self.namespace.popen(*argv, cwd=REPOSITORY, env=env, stdout=log, stderr=log)

    def start(self):
        """Returns once READY=1 came; ``told`` has all that came until then."""
        address = self.path / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            self.spawn(NOTIFY_SOCKET=str(address))
            ended = os.pidfd_open(self.process.pid)
            try:
                self.told = []
                while "READY=1" not in self.told:
                    ready, _, _ = select.select([notify, ended], [], [], READY_SECONDS)
                    assert notify in ready, self.words()
                    self.told += notify.recv(4096).decode().splitlines()
            finally:
                os.close(ended)

    def refuses(self):
        """What it says when it does not start."""
        self.spawn()
        assert self.process.wait(READY_SECONDS) == 1, self.words()
        return self.words()

    def words(self):
        return self.log.read_text()

    def end(self, number):
        """The exit code after this signal."""
        self.process.send_signal(number)
        return self.process.wait(20)

    def boot(self):
        """Boot token and nonce of a machine that asks for its script, from the address that it was leased."""
        lease = self.path / "lease"
        lease.write_text(LEASE_SCRIPT)
        lease.chmod(0o755)
        asked = ["-i", "port1", "-s", lease, "-n", "-q", "-t", "5", "-T", "1"]
        address = re.search(r"^leased (\S+)$", self.namespace.run("busybox", "udhcpc", *asked), re.MULTILINE)[1]
        _, script = self.namespace.curl(SCRIPT_URL, "--interface", address)
        return re.search(r"qrm\.token=(\w+) qrm\.nonce=(\w+)", script).groups()
