"""An image that comes in pieces to a real daemon, which is killed in the middle of them, and once all is there."""

import hashlib
import signal
import time

import pytest
from test_daemon_backup import User

DISK = bytes(range(256)) * (1 << 17)
SIZE = len(DISK)
FILE = {"file": "disk.raw", "size": SIZE, "mark": "changed 1"}
FIRST = SIZE // 3


def killed(daemon):
    """As by a power cut, and begun again."""
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait()
    daemon.start()


def send(user, directory, said, last):
    first = said["received"]
    (directory / "piece").write_bytes(DISK[first : last + 1])
    headers = ["--header", f"Content-Range: bytes {first}-{last}/{SIZE}", "--header", "Content-Type: x/y", "--header"]
    piece = ["--data-binary", f"@{directory / 'piece'}"]
    return user.call("PUT", f"/uploads/images/demo/{said['turn']}", None, *headers, "Expect:", *piece)


@pytest.mark.slow
def test_what_came_outlives_a_killed_daemon_and_is_listed_by_the_next(daemon, namespace, tmp_path):
    daemon.start()
    user = User(namespace)
    user.set_up(daemon)
    status, begun = user.call("PUT", "/uploads/images/demo", FILE)
    assert (status, begun["received"]) == (200, 0)
    assert send(user, tmp_path, begun, FIRST - 1)[1]["received"] == FIRST
    killed(daemon)
    again = user.call("PUT", "/uploads/images/demo", FILE)[1]
    assert again["received"] == FIRST
    status, whole = send(user, tmp_path, again, SIZE - 1)
    assert (status, whole["received"]) == (200, SIZE)
    killed(daemon)
    end = time.monotonic() + 60
    while (task := user.call("GET", f"/tasks/{whole['task']}")[1])["status"] in ("waiting", "running"):
        assert time.monotonic() < end, task
        time.sleep(0.1)
    assert (task["status"], task["reason"]) == ("done", "")
    image = user.call("GET", "/images/demo")[1]
    assert image["stored_sha256"] == hashlib.sha256(DISK).hexdigest()
    assert (
        hashlib.sha256((daemon.path / "state" / "images" / str(image["id"])).read_bytes()).hexdigest()
        == (image["stored_sha256"])
    )
    assert list((daemon.path / "state" / "images" / "arriving").iterdir()) == []
    assert user.call("GET", "/uploads")[1]["items"] == []
