"""The first start of a flashed appliance in a computer that has no network card: it waits, and says so."""

import signal
import subprocess
from collections.abc import Iterator

import pytest
from daemon_namespace import REPOSITORY, Daemon, Namespace
from test_daemon_stuck_disk import until

FIRST = REPOSITORY / "image-builder/appliance/root/usr/share/qrm/first.toml"
PRELOAD = 'preload = ["/usr/share/qrm/demo"]'
ADDRESS = "192.0.2.9"


@pytest.fixture
def bare() -> Iterator[Namespace]:
    """A network with nothing but loopback."""
    namespace = Namespace()
    for each in ("port1", "br0"):
        namespace.run("ip", "link", "delete", each)
    yield namespace
    namespace.close()


def test_it_serves_the_console_and_is_reached_as_soon_as_there_is_a_card(bare, tmp_path):
    daemon = Daemon(bare, tmp_path / "one")
    text = FIRST.read_text()
    assert PRELOAD in text
    text = text.replace(PRELOAD, f'state_dir = "{daemon.path}/state"')
    boot = f'[boot]\nstack = "{daemon.path}/stack"\nprograms = "{daemon.path}/programs"\n'
    daemon.config.write_text(f"{text}\n{boot}")
    try:
        daemon.start()
        assert bare.curl("https://127.0.0.1:8443/healthz")[0] == 200
        assert (daemon.path / "state" / "setup-url").read_text().startswith("/setup?token=")
        assert (daemon.path / "state" / "ca-fingerprint").read_text().strip()

        bare.run("ip", "link", "add", "nic0", "type", "veth", "peer", "name", "far")
        bare.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "nic0")
        for each in ("nic0", "far"):
            bare.run("ip", "link", "set", each, "up")
        believed = ("--cacert", daemon.path / "state" / "ca.pem", "--output", "/dev/null", "--fail")
        argv = bare.inside("curl", "--silent", *believed, f"https://{ADDRESS}:8443/healthz")
        until(lambda: subprocess.run(argv, timeout=30, check=False).returncode == 0, daemon.words)
    finally:
        assert daemon.end(signal.SIGTERM) == 0, daemon.words()
    assert "Traceback" not in daemon.words()
