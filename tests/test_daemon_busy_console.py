"""Machines are served whatever the console, its users and their programs are at."""

import os
import signal
import subprocess
import sys
import time

import psutil
from daemon_namespace import LEASE_SCRIPT
from test_daemon_reservations import Administrator

HOARDER = """
import socket, ssl, sys
context = ssl._create_unverified_context()
lines = (f"GET {sys.argv[1]} HTTP/1.1", "Host: 127.0.0.1:8443", f"Authorization: Bearer {sys.argv[2]}", "", "")
request = "\\r\\n".join(lines).encode()
held = []
for _ in range(60):
    plain = socket.create_connection(("127.0.0.1", 8443))
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    held.append(context.wrap_socket(plain))
    held[-1].sendall(request * 20)
print("asked", flush=True)
sys.stdin.read()
"""
SECONDS = 30


def until(look, why):
    end = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < end, why()
        time.sleep(0.1)


def lease(daemon):
    script = daemon.path / "lease"
    script.write_text(LEASE_SCRIPT)
    script.chmod(0o755)
    return daemon.namespace.run("busybox", "udhcpc", "-i", "port1", "-s", script, "-n", "-q", "-t", "6", "-T", "1")


def served(daemon):
    """A lease, a name, a file by TFTP and by HTTP."""
    namespace = daemon.namespace
    assert "leased 10.77.0.50" in lease(daemon)
    assert namespace.run("dig", "+short", "@10.77.0.1", "appliance.lab.test") == "10.77.0.1\n"
    assert namespace.run("curl", "--silent", "tftp://10.77.0.1/undionly.kpxe").startswith("undionly.kpxe")
    assert namespace.curl("http://10.77.0.1/boot/undionly.kpxe")[0] == 200


def test_machines_are_served_while_the_console_has_its_hands_full(daemon, namespace):
    """Dozens of programs ask for everything again and again, and read nothing of it."""
    daemon.start()
    admin = Administrator(daemon)
    argv = [sys.executable, "-c", HOARDER, "/api/v1/openapi.json", admin._token]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with namespace.popen(*argv, **pipes) as hoarder:
        assert hoarder.stdout.readline() == "asked\n"
        served(daemon)
        served(daemon)
        assert hoarder.poll() is None
        hoarder.kill()


def test_a_program_that_hangs_stops_nobody(daemon, namespace, monkeypatch):
    """An image is uploaded, and the program that is to look into it never ends: one upload waits, nobody else."""
    programs, sign = daemon.path / "hanging", daemon.path / "hangs"
    programs.mkdir()
    (programs / "zstd").write_text(f"#!/bin/sh\ntouch {sign}\nexec sleep 600\n")
    (programs / "zstd").chmod(0o755)
    raw, image = daemon.path / "image", daemon.path / "image.zst"
    raw.write_bytes(bytes(4096))
    subprocess.run(["zstd", "--quiet", raw, "-o", image], check=True)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    daemon.start()
    admin = Administrator(daemon)
    login = ["--header", f"Authorization: Bearer {admin._token}"]
    url = "https://127.0.0.1:8443/api/v1/images?name=demo&format=raw.zst"
    argv = ["curl", "--silent", "--insecure", *login, "--header", "Content-Type: application/octet-stream"]
    argv += ["--request", "POST", "--upload-file", image, url]
    with namespace.popen(*argv, stdout=subprocess.PIPE) as upload:
        until(sign.exists, daemon.words)
        served(daemon)
        assert upload.poll() is None, "it still waits"
        assert daemon.end(signal.SIGKILL) != 0
        upload.kill()
    for hanging in _of(programs):
        hanging.kill()


def _of(programs):
    """Programs that were found in this directory, and outlive the daemon that was killed."""
    sleeping = (each for each in psutil.process_iter(["name", "environ"]) if each.info["name"] == "sleep")
    return [each for each in sleeping if str(programs) in (each.info["environ"] or {}).get("PATH", "")]
