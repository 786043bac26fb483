"""The state of a real daemon: backed up while it works, restored elsewhere, and a password that was lost."""

import json
import signal
import subprocess
import sys
import threading
import time

import pytest
from daemon_namespace import REPOSITORY, Daemon

API = "https://127.0.0.1:8443/api/v1"
PASSWORD, OTHER = "a horse on a bicycle", "a goat on a tricycle"
DISK = b"\0" * 512 + b"EFI PART" + b"\0" * (1 << 20)
DISK += b"\0" * (-len(DISK) % 512)


class User:
    """Somebody with curl."""

    def __init__(self, namespace):
        self._namespace, self.token = namespace, ""

    def call(self, method, path, body=None, *more):
        sent = [] if body is None else ["--json", json.dumps(body)]
        bearer = ["--header", f"Authorization: Bearer {self.token}"] if self.token else []
        status, text = self._namespace.curl(API + path, "--request", method, *sent, *bearer, *more)
        return status, json.loads(text) if text else None

    def set_up(self, daemon):
        link = (daemon.path / "state" / "setup-url").read_text()
        body = {"token": link.partition("token=")[2].strip(), "name": "ada", "password": PASSWORD}
        self.token = self.call("POST", "/setup", body)[1]["token"]

    def log_in(self, password):
        self.token = ""
        status, made = self.call("POST", "/sessions", {"name": "ada", "password": password})
        self.token = made.get("token", "")
        return status

    def upload(self, file):
        return self.call("POST", "/images?name=demo&format=raw", None, "--data-binary", f"@{file}")


def qrm(*words, typed=None):
    """(exit code, standard output and error) of ``qrm state ...`` on the appliance."""
    argv = [sys.executable, "-m", "appliance", "state", *map(str, words)]
    ended = subprocess.run(argv, cwd=REPOSITORY, input=typed, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def user(daemon, namespace, tmp_path):
    """Logged in to a daemon with an image, a machine, and a deployment."""
    daemon.start()
    made = User(namespace)
    made.set_up(daemon)
    (tmp_path / "disk").write_bytes(DISK)
    assert made.upload(tmp_path / "disk")[0] == 201
    daemon.boot()
    assert made.call("POST", "/deployments", {"name": "web-1", "image": "demo"})[0] == 201
    return made


class Writing(threading.Thread):
    """Changes a machine over and over, and remembers the longest that a change took."""

    def __init__(self, user):
        super().__init__()
        self._user, self._stop_asked, self.count, self.longest, self.failures = user, threading.Event(), 0, 0.0, []

    def run(self):
        while not self._stop_asked.is_set():
            begun = time.monotonic()
            status, said = self._user.call("PATCH", "/machines/node-000001", {"notes": str(self.count)})
            self.longest, self.count = max(self.longest, time.monotonic() - begun), self.count + 1
            if status != 200:
                self.failures.append(said)

    def stop(self):
        self._stop_asked.set()
        self.join()


def test_everything_comes_back_on_another_computer(daemon, user, namespace, tmp_path):
    passphrase, backup = tmp_path / "passphrase", tmp_path / "backup"
    passphrase.write_text("correct battery horse staple\n")
    fingerprint = (daemon.path / "state" / "ca-fingerprint").read_text()
    writing = Writing(user)
    writing.start()
    try:
        code, said = qrm("backup", backup, "--config", daemon.config, "--passphrase-file", passphrase)
    finally:
        writing.stop()
    assert code == 0, said
    assert writing.count > 2
    assert writing.failures == []
    assert writing.longest < 2.0
    assert daemon.end(signal.SIGTERM) == 0

    two = Daemon(namespace, tmp_path / "two")
    two.config.unlink()
    where = ("--config", two.config, "--state-dir", two.path / "state", "--passphrase-file", passphrase)
    code, said = qrm("restore", backup, *where)
    assert code == 0, said
    assert "image demo has no content here" in said
    two.start()
    try:
        assert (two.path / "state" / "ca-fingerprint").read_text() == fingerprint
        assert "without content here: image demo" in two.words()
        assert user.call("GET", "/sessions/current")[0] == 401, "log-ins end"
        assert user.log_in(PASSWORD) == 201
        assert [each["name"] for each in user.call("GET", "/machines")[1]["items"]] == ["node-000001"]
        assert [each["name"] for each in user.call("GET", "/deployments")[1]["items"]] == ["web-1"]
        assert user.call("GET", "/images/demo")[1]["missing"] is True
        assert [each["missing"] for each in user.call("GET", "/images")[1]["items"]] == [True]
        events = user.call("GET", "/events?kind=state.restored")[1]["items"]
        assert ["restored from a backup" in each["text"] for each in events] == [True]
        assert qrm("restore", backup, *where)[0] == 1, "a daemon runs"
        assert user.upload(tmp_path / "disk")[0] == 201
        assert user.call("GET", "/images/demo")[1]["missing"] is False
    finally:
        assert two.end(signal.SIGTERM) == 0


def test_a_lost_password_is_reset_beside_the_daemon_and_without_it(daemon, user):
    words = ("reset-password", "ada", "--config", daemon.config)
    assert user.call("GET", "/sessions/current")[0] == 200
    assert user.log_in(PASSWORD) == 201
    code, said = qrm(*words, typed=OTHER + "\n")
    assert code == 0, said
    assert user.call("GET", "/sessions/current")[0] == 401, "all log-ins ended"
    assert user.log_in(PASSWORD) == 401
    assert user.log_in(OTHER) == 201
    assert user.call("GET", "/sessions/current")[1]["role"] == "admin"
    events = user.call("GET", "/events?kind=user.changed")[1]["items"]
    assert any("the password of ada was reset" in each["text"] for each in events)

    assert daemon.end(signal.SIGTERM) == 0
    assert qrm(*words, typed=PASSWORD + "\n")[0] == 0
    assert not list((daemon.path / "state").glob("store.db-*")), "nothing is left that the daemon's user cannot open"
    daemon.start()
    assert user.log_in(PASSWORD) == 201
