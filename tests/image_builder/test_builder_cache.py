"""Built once, complete or not there, shared by builds at once, clean after a kill."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from builder import cache

KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from builder import cache
def build(into, scratch):
    (into / "half").write_text("x")
    (scratch / "half").write_text("x")
    print("building", flush=True)
    time.sleep(600)
cache.kept(Path(sys.argv[2]), "thing", "k", build)
"""


@pytest.fixture(autouse=True)
def own_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    return scratch


def test_a_key_depends_on_names_and_contents_only() -> None:
    assert cache.key({"a": b"1", "b": b"2"}) == cache.key({"b": b"2", "a": b"1"})
    assert len({cache.key(one) for one in ({"a": b"12"}, {"a1": b"2"}, {"a": b"1", "b": b"2"}, {"a": b"1"})}) == 4


def test_what_is_there_is_not_built_again(tmp_path: Path) -> None:
    built: list[int] = []
    for _ in range(2):
        path = cache.kept(tmp_path / "c", "thing", "k", lambda into, scratch: built.append(1))
    assert built == [1]
    assert path == tmp_path / "c/thing-k"


def test_a_failed_build_leaves_nothing(tmp_path: Path, own_scratch: Path) -> None:
    def build(into: Path, scratch: Path) -> None:
        (into / "half").write_text("x")
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        cache.kept(tmp_path / "c", "thing", "k", build)
    assert [path.name for path in (tmp_path / "c").iterdir()] == [".thing.lock"]
    assert not list(own_scratch.iterdir())


def test_a_killed_build_is_cleaned_up_by_the_next(tmp_path: Path, own_scratch: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(cache.SOURCE), str(tmp_path / "c")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert list(own_scratch.iterdir())
    path = cache.kept(tmp_path / "c", "thing", "k", lambda into, scratch: None)
    assert not list(path.iterdir())
    assert not list(own_scratch.iterdir())
    assert {entry.name for entry in (tmp_path / "c").iterdir()} == {".thing.lock", "thing-k"}


def test_two_builds_at_once_share_one_result(tmp_path: Path) -> None:
    built: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def build(into: Path, scratch: Path) -> None:
        built.append(1)
        begun.set()
        assert go.wait(30)

    def want() -> None:
        cache.kept(tmp_path / "c", "thing", "k", build)

    first, second = threading.Thread(target=want), threading.Thread(target=want)
    first.start()
    assert begun.wait(30)
    second.start()
    go.set()
    for thread in (first, second):
        thread.join(30)
    assert built == [1]


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.default_directory() == Path.home() / ".cache/qrm"
