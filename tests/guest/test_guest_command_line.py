"""How QEMU is called for the guest, and which process gets the tests that share it."""

from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.guest.frames import Lines, decoded, encoded, packed, unpacked
from tests.guest.outside.command_line import Channels, Files, command_line
from tests.guest.outside.scheduling import GuestScheduling

SCRATCH = tuple(Path(f"/scratch{number}") for number in range(5))


def called(serial: Path | None = Path("/log"), accelerator: str = "tcg") -> str:
    files = Files(Path("/kernel"), Path("/initrd"), Path("/root"), Path("/source"), SCRATCH, serial)
    return " ".join(command_line(files, Channels(agent=7, qmp=8), accelerator))


def test_it_reaches_nothing_of_the_host_but_its_files_and_two_sockets() -> None:
    line = called()
    assert all(word.startswith("hubport,") for word in line.split("-netdev ")[1:])
    assert "-nodefaults" in line
    assert "socket,id=agent,fd=7" in line
    assert "socket,id=qmp,fd=8" in line


def test_what_it_boots_from_cannot_be_written() -> None:
    drives = [each.split()[0] for each in called().split("-drive ")[1:]]
    assert {each.rpartition("=")[2]: "readonly=on" in each for each in drives} == {
        "/root": True,
        "/source": True,
        **{str(path): False for path in SCRATCH},
    }


@pytest.mark.parametrize(("serial", "shell"), [(Path("/log"), False), (None, True)])
def test_a_shell_is_there_where_somebody_sits_at_the_terminal(serial: Path | None, shell: bool) -> None:
    line = called(serial)
    assert ("stdio" in line) is shell
    assert ("systemd.mask=serial-getty@ttyS0.service" not in line) is shell


def test_the_accelerator_is_chosen() -> None:
    assert "-accel tcg,thread=multi -cpu max" in called()
    assert "-accel kvm -cpu host" in called(accelerator="kvm")


def test_files_that_share_the_guest_go_to_one_process() -> None:
    scheduling = GuestScheduling.__new__(GuestScheduling)
    one, other = "tests/guest/test_a.py::test_x", "tests/guest/test_b.py::test_y"
    assert scheduling._split_scope(one) == scheduling._split_scope(other)
    elsewhere = "tests/web/test_c.py::test_z[a::b]"
    assert scheduling._split_scope(elsewhere) == LoadFileScheduling._split_scope(scheduling, elsewhere)


def test_frames_arrive_in_any_pieces() -> None:
    frame = {"job": 1, "stdout": packed(b"\0\xff\n")}
    lines, sent = Lines(), encoded(frame) * 2
    found = [line for index in range(len(sent)) for line in lines.taken(sent[index : index + 1])]
    assert [decoded(line) for line in found] == [frame, frame]
    assert unpacked(frame["stdout"]) == b"\0\xff\n"
