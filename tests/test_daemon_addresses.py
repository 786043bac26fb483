"""The real daemon in a real network: an address comes, and the console's certificate is for it."""

import subprocess
import time

from test_daemon_reservations import Administrator

SECONDS = 60
ADDRESS = "192.0.2.77"


def verified(daemon, namespace, address):
    """Whether https by this address is believed by whoever has the authority's certificate."""
    argv = [
        "curl",
        "--silent",
        "--max-time",
        "10",
        "--cacert",
        daemon.path / "state" / "ca.pem",
        f"https://{address}:8443/healthz",
    ]
    done = subprocess.run(namespace.inside(*argv), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (0, 60), done  # 60: not believed
    return done.stdout.startswith('{"status": "ok", "serves": ["dhcp", "tftp"]')


def until(holds, words):
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, words()
        time.sleep(0.2)


def test_the_certificate_follows_the_addresses(daemon, namespace):
    daemon.configure('listen = ["127.0.0.1:8443"]', 'listen = ["0.0.0.0:8443"]')
    daemon.start()
    admin = Administrator(daemon)
    assert verified(daemon, namespace, "10.77.0.1")
    namespace.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "port1")
    until(lambda: verified(daemon, namespace, ADDRESS), daemon.words)
    assert verified(daemon, namespace, "127.0.0.1")
    (told,) = admin.ask("GET", "/events?kind=certificate.changed")["items"]
    assert told["text"] == f"the console's certificate is for {ADDRESS} from now on"
    assert ADDRESS in admin.ask("GET", "/certificate")["names"]
