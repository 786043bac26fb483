"""A computer beside the daemon's bridge that runs the real ``qrm probe``, and others that do harm there."""

import json
import os
import subprocess
import sys

from daemon_namespace import REPOSITORY

PROGRAMS = ("undionly.kpxe", "snponly.efi", "snponly-arm64.efi")
ADDRESS = "10.77.0.240/24"
SERVER = "10.77.0.1"


class Host:
    """A network namespace with one interface, ``eth0``, on a port of the bridge; it lives until it is closed."""

    def __init__(self, namespace, port, peer, address=""):
        """``port`` is the bridge's end of a pair of which ``peer`` is moved here."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._keeper = namespace.popen("unshare", "--net", "sh", "-c", "echo $$; exec cat", text=True, **pipes)
        self._namespace, self._pid, self.port = namespace, self._keeper.stdout.readline().strip(), port
        namespace.run("ip", "link", "set", peer, "netns", self._pid, "name", "eth0")
        self.run("ip", "link", "set", "lo", "up")
        if address:
            self.run("ip", "address", "add", address, "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def _argv(self, argv):
        return ["nsenter", "--target", self._pid, "--net", *argv]

    def run(self, *argv):
        return self._namespace.run(*self._argv(argv))

    def popen(self, *argv, **kwargs):
        return self._namespace.popen(*self._argv(argv), **kwargs)

    def probe(self, *arguments):
        """(exit code, findings, what it said beside them)"""
        process = self.popen_probe("--json", *arguments)
        out, err = process.communicate(timeout=100)
        return process.returncode, json.loads(out) if out else None, err

    def popen_probe(self, *arguments):
        argv = [sys.executable, "-m", "appliance", "probe", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return self.popen(*argv, cwd=REPOSITORY, env=os.environ, **pipes)

    def close(self):
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()


class Dnsmasq:
    """A DHCP server of somebody else."""

    def __init__(self, host, path, *options):
        self._process = host.popen(
            *("dnsmasq", "--keep-in-foreground", "--no-hosts", "--no-resolv", "--conf-file=/dev/null", "--no-ping"),
            *("--user=", "--group=", f"--dhcp-leasefile={path}/leases", f"--pid-file={path}/pid", "--log-facility=-"),
            *options,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while "started" not in (line := self._process.stdout.readline()):
            assert line, "dnsmasq has ended"

    def close(self):
        self._process.terminate()
        self._process.communicate()


def give_programs(daemon):
    """All boot programs, each of a size of its own."""
    for number, name in enumerate(PROGRAMS):
        (daemon.path / "programs" / name).write_bytes(name.encode() * (3000 + number))


def add_port(namespace, name):
    """Another port of the bridge; the name of what to move to a host."""
    peer = f"{name}-peer"
    namespace.run("ip", "link", "add", name, "type", "veth", "peer", "name", peer)
    namespace.run("ip", "link", "set", name, "master", "br0", "up")
    return peer


def mac_of(where, interface):
    """Asked of netlink: /sys shows another namespace."""
    return json.loads(where.run("ip", "-json", "link", "show", "dev", interface))[0]["address"]


def of(findings, check):
    return [each for each in findings if each["check"] == check]


def statuses(findings, check):
    return {each["status"] for each in of(findings, check)}
