"""Wiping a disk that erases itself, or does not: what is tried, what is believed, and what is left when it is not."""

import errno
from itertools import pairwise

import pytest
from wipe_disks import (
    SECTORS,
    SIZE,
    SOMEBODYS,
    AtaDrive,
    Hours,
    NvmeDrive,
    PaperDrive,
    PowerCut,
    nvme_controller,
)

from appliance.agent.disk import marker
from appliance.agent.errors import Abandoned, StepFailed
from appliance.agent.wipe import ata, attempts, nvme_erase
from appliance.agent.wipe.attempts import mend, wipe
from appliance.agent.wipe.methods import CHOICES, Method, QueueLimits
from appliance.agent.wipe.minder import Minder
from appliance.agent.wipe.passthrough import Refused

EVERYTHING = nvme_controller(oacs=2, fna=4, sanicap=3)
FLASH = QueueLimits(1 << 30, 1 << 30)


def wiped(drive, choice="automatic", hours=None):
    return wipe(drive, choice, "attempt-1", (hours or Hours()).minder())


def failure(drive, choice="automatic", hours=None):
    with pytest.raises(StepFailed) as caught:
        wiped(drive, choice, hours)
    return caught.value


def noise(old: bytes) -> bytes:
    """What old cells read as once their key is gone."""
    return bytes(byte ^ (number * 7 + 13) & 0xFF for number, byte in enumerate(old[:4096])) * (len(old) // 4096)


@pytest.mark.parametrize(
    ("make", "choice", "method"),
    [
        (lambda: NvmeDrive(EVERYTHING), "automatic", Method.NVME_SANITIZE_BLOCK),
        (lambda: NvmeDrive(nvme_controller(oacs=2, fna=4, sanicap=1)), "automatic", Method.NVME_SANITIZE_CRYPTO),
        (lambda: NvmeDrive(nvme_controller(oacs=2, fna=4)), "automatic", Method.NVME_FORMAT_ERASE),
        (lambda: NvmeDrive(EVERYTHING), "secure-erase", Method.NVME_FORMAT_ERASE),
        (lambda: NvmeDrive(EVERYTHING), "discard", Method.DISCARD),
        (lambda: NvmeDrive(EVERYTHING), "overwrite", Method.OVERWRITE),
        (lambda: NvmeDrive(nvme_controller()), "automatic", Method.DISCARD),
        (AtaDrive, "automatic", Method.ATA_ERASE_ENHANCED),
        (lambda: AtaDrive(enhanced=False), "automatic", Method.ATA_ERASE),
        (lambda: AtaDrive(frozen=True), "automatic", Method.OVERWRITE),
        (PaperDrive, "automatic", Method.OVERWRITE),
        (lambda: PaperDrive(queue=FLASH), "automatic", Method.DISCARD),
        (lambda: PaperDrive(queue=QueueLimits(1 << 30, 0)), "automatic", Method.OVERWRITE),
        (lambda: PaperDrive(queue=QueueLimits(1 << 30, 0)), "discard", Method.DISCARD),
    ],
)
def test_the_strongest_way_that_the_disk_has_or_the_one_that_was_asked_for(make, choice, method):
    drive = make()
    done = wiped(drive, choice)
    assert done.method is method
    assert not any(drive.cells)
    report = done.report()
    assert (report["verified"], report["whole"], report["bytes_read"]) == (True, True, SIZE)


def test_what_nobody_has_tried_is_left_out_and_not_told_of_as_a_failure():
    done = wiped(PaperDrive(queue=FLASH))
    assert done.tried == []
    assert done.left_out == [
        (Method.SECURE_DISCARD, "the disk does not do it at byte 1048576: Operation not supported")
    ]


@pytest.mark.parametrize(("choice", "make"), [("sanitize", AtaDrive), ("secure-erase", PaperDrive)])
def test_what_a_disk_cannot_is_refused_before_anything_is_done_to_it(choice, make):
    drive = make()
    before = bytes(drive.cells)
    error = failure(drive, choice)
    assert error.code == "wipe-impossible"
    assert "S1" in error.message
    assert bytes(drive.cells) == before
    assert drive.done == []


def test_nothing_weaker_stands_in_for_what_was_asked_for():
    assert failure(AtaDrive(frozen=True), "secure-erase").code == "wipe-impossible"
    assert "frozen" in failure(AtaDrive(frozen=True), "secure-erase").message
    assert CHOICES["overwrite"] == (Method.OVERWRITE,)
    assert not set(CHOICES["sanitize"]) & {Method.DISCARD, Method.OVERWRITE}


@pytest.mark.parametrize("seen", [(1, 2), (1,)])
def test_another_namespace_is_never_erased_with_the_one_that_was_agreed_to(seen):
    """Also one that is attached to nobody, or to another host."""
    drive = NvmeDrive(nvme_controller(oacs=2 | 8, fna=2 | 4, sanicap=3), namespaces=(1, 2))
    drive.attached = seen
    done = wiped(drive)
    assert done.method is Method.DISCARD
    assert drive.formatted == []
    assert [why for _, why in done.left_out[:2]] == [
        "it would erase all 2 namespaces of the controller, and one was agreed to"
    ] * 2


def test_a_format_leaves_the_layout_as_it_was():
    drive = NvmeDrive(nvme_controller(oacs=2), flbas=0b0011_0011)
    wiped(drive)
    assert drive.formatted == [0b0001_0011 | 1 << 9 | 1 << 12]


def test_a_disk_that_reads_as_noise_afterwards_is_believed_and_left_empty_at_its_ends():
    drive = NvmeDrive(nvme_controller(sanicap=1))
    drive.erased_to = noise
    done = wiped(drive)
    assert done.method is Method.NVME_SANITIZE_CRYPTO
    assert done.report()["zeros"] is False
    assert not any(drive.cells[: 1 << 20])
    assert not any(drive.cells[-(1 << 20) :])
    assert any(drive.cells)


def test_an_erase_that_did_nothing_is_found_out_and_the_next_way_taken():
    drive = NvmeDrive(EVERYTHING)
    drive.erased_to = bytes
    done = wiped(drive)
    assert done.method is Method.DISCARD
    assert [method for method, _ in done.tried][:2] == [Method.NVME_SANITIZE_BLOCK, Method.NVME_SANITIZE_CRYPTO]
    assert all("still stands at byte" in why for _, why in done.tried[:4])
    assert not any(drive.cells)


def test_old_data_in_one_place_alone_is_found():
    drive = NvmeDrive(nvme_controller(sanicap=2))
    drive.queue = QueueLimits()
    drive.erased_to = lambda old: bytes(SIZE - len(SOMEBODYS)) + old[-len(SOMEBODYS) :]
    assert "still stands at byte" in wiped(drive).tried[0][1]


def test_a_discard_that_does_not_read_as_zeros_is_followed_by_an_overwrite():
    drive = PaperDrive(queue=QueueLimits(1 << 30, 0))
    drive.discard = lambda at, size, *, secure: drive.put(at, b"\xff" * size)
    done = wiped(drive, "discard")
    assert done.method is Method.OVERWRITE
    assert "something else than zeros" in dict(done.tried)[Method.DISCARD]
    assert not any(drive.cells)


def test_a_wipe_that_nothing_comes_of_fails_and_names_disk_ways_and_place():
    drive = PaperDrive()
    drive.write_zeros = lambda at, size: None
    error = failure(drive)
    assert error.code == "wipe-failed"
    assert "serial S1" in error.message
    assert "overwrite: what was there before still stands at byte" in error.message


def test_a_place_that_takes_no_zeros_is_named():
    drive = PaperDrive()

    def broken(what: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    drive.before = broken
    assert "takes no zeros between byte 1048576" in failure(drive).message


def test_a_disk_that_is_pulled_is_no_reason_for_the_next_way():
    drive = NvmeDrive(EVERYTHING)

    def pulled(what: str) -> None:
        if what == "sanitize block":
            raise OSError(errno.ENODEV, "No such device")

    drive.before = pulled
    with pytest.raises(OSError, match="No such device"):
        wiped(drive)
    assert drive.done == ["sanitize block"]


class TestSanitize:
    def test_it_takes_as_long_as_it_gets_on(self):
        drive, hours = NvmeDrive(nvme_controller(sanicap=2)), Hours()
        drive.speed = 1
        wiped(drive, hours=hours)
        assert hours.now > 3 * 24 * 3600
        assert max(done for done, _ in hours.told) <= 1.0
        gaps = [later[0] - earlier[0] for earlier, later in pairwise(hours.told)]
        assert len([gap for gap in gaps if gap > 0]) > 60000

    def test_one_that_stands_still_is_given_up_in_words(self):
        drive, hours = NvmeDrive(nvme_controller(sanicap=2)), Hours()
        drive.speed = 0
        error = failure(drive, hours=hours)
        assert error.code == "disk-stuck"
        assert "6 hours" in error.message
        assert hours.now < 7 * 3600

    def test_that_the_mark_stands_is_told_before_anything_is_erased(self):
        drive = NvmeDrive(EVERYTHING)

        def cut() -> None:
            raise PowerCut

        with pytest.raises(PowerCut):
            wipe(drive, "automatic", "attempt-1", Hours().minder(), cut)
        assert drive.done == []
        assert marker.decode(drive.read(0, 512)) == "attempt-1"
        assert drive.read(512, 16) == SOMEBODYS[512:528]

    def test_after_a_power_cut_it_is_joined_and_the_disk_can_be_read_again(self):
        drive = NvmeDrive(EVERYTHING)

        def cut(done: float, words: str) -> None:
            raise PowerCut

        with pytest.raises(PowerCut):
            wipe(drive, "automatic", "attempt-1", Minder(cut, lambda seconds: None, lambda: 0.0))
        with pytest.raises(OSError, match="Input/output"):
            drive.read(0, 512)
        assert mend(drive, Hours().minder())
        assert not any(drive.read(0, SIZE))
        assert drive.done == ["sanitize block"]
        assert wiped(drive).method is Method.NVME_SANITIZE_BLOCK

    def test_one_that_failed_is_left_and_the_next_way_taken(self):
        drive = NvmeDrive(EVERYTHING)
        drive.state = 3
        assert mend(drive, Hours().minder())
        assert drive.done == ["leave failure"]
        assert drive.read(0, 16) == SOMEBODYS[:16]

    def test_one_that_fails_does_not_keep_the_disk_from_the_next_way(self):
        drive = NvmeDrive(nvme_controller(oacs=2, sanicap=2))
        drive.fails = True
        done = wiped(drive)
        assert done.method is Method.NVME_FORMAT_ERASE
        assert done.tried == [(Method.NVME_SANITIZE_BLOCK, "its sanitize failed")]
        assert drive.done == ["sanitize block", "leave failure", "format"]

    def test_a_disk_without_it_is_left_alone(self):
        drive = NvmeDrive(nvme_controller())
        drive.nvme = lambda command: (_ for _ in ()).throw(Refused("no such log"))
        assert not mend(drive, Hours().minder())


class TestSecurityErase:
    def test_the_disk_has_no_password_afterwards(self):
        drive = AtaDrive()
        wiped(drive)
        assert drive.password is None
        assert drive.done == ["set password", "erase enhanced"]

    def test_a_failed_erase_leaves_no_password_and_the_next_way_is_taken(self):
        drive = AtaDrive()

        def broken(what: str) -> None:
            if what == "in the middle of the erase":
                raise Refused("it took too long")

        drive.before = broken
        done = wiped(drive)
        assert done.method is Method.OVERWRITE
        assert done.tried == [(m, "it took too long") for m in (Method.ATA_ERASE_ENHANCED, Method.ATA_ERASE)]
        assert drive.password is None

    @pytest.mark.parametrize("moment", ["erase enhanced", "in the middle of the erase"])
    @pytest.mark.parametrize("stubborn", [False, True])
    def test_a_disk_that_lost_power_in_the_middle_is_brought_back(self, moment, stubborn):
        drive = AtaDrive()

        def cut(what: str) -> None:
            if what == moment:
                drive.off, drive.refuses_unlock = True, stubborn
                raise PowerCut

        drive.before = cut
        with pytest.raises(PowerCut):
            without_a_thread(drive)
        drive.power_cycle()
        assert drive.locked
        assert mend(drive, Hours().minder())
        assert (drive.password, drive.locked) == (None, False)
        assert wiped(drive).method is Method.ATA_ERASE_ENHANCED
        assert not any(drive.cells)

    def test_somebody_elses_password_is_refused_in_words_and_nothing_changes(self):
        drive = AtaDrive()
        drive.password, drive.locked = b"theirs".ljust(32, b"\0"), True
        before = bytes(drive.cells)
        with pytest.raises(StepFailed) as caught:
            mend(drive, Hours().minder())
        assert caught.value.code == "disk-locked"
        assert "'qrm-wipe', does not open it" in caught.value.message
        assert bytes(drive.cells) == before
        assert drive.locked

    def test_a_password_that_is_not_ours_on_an_open_disk_is_left(self):
        drive = AtaDrive()
        drive.password = b"theirs".ljust(32, b"\0")
        assert not mend(drive, Hours().minder())
        done = wiped(drive)
        assert done.method is Method.OVERWRITE
        assert (Method.ATA_ERASE, "it has a password that is not ours") in done.left_out
        assert drive.password

    def test_what_a_disk_hides_is_told(self):
        drive = AtaDrive()
        drive.hidden = 1000
        assert wiped(drive).report()["hidden_bytes"] == 512000
        assert ata.decode_identity(drive.identity()).sectors == SECTORS


def without_a_thread(drive):
    """The power goes for all threads at once."""

    class Here(Minder):
        def mind(self, command, expected, words, beat=0.0):
            return command()

        def part(self, begins, ends):
            return self

    hours = Hours()
    wipe(drive, "automatic", "attempt-1", Here(lambda *_: None, hours.pause, lambda: 0.0))


class TestMinder:
    def test_a_command_that_cannot_be_called_off_is_waited_for(self):
        from threading import Event

        going, told = Event(), []

        def tell(done: float, words: str) -> None:
            told.append(words)
            going.set()
            raise Abandoned

        minder = Minder(tell, lambda seconds: None, lambda: 60.0)
        ended = []

        def command() -> None:
            going.wait(30)
            ended.append(True)

        with pytest.raises(Abandoned):
            minder.mind(command, 120.0, "the disk works", beat=0.001)
        assert ended == [True]
        assert told == ["the disk works, for 0 min"]

    def test_what_went_wrong_in_it_comes_out(self):
        with pytest.raises(Refused, match="no"):
            Hours().minder().mind(lambda: (_ for _ in ()).throw(Refused("no")), None, "x")


def test_every_way_has_somebody_who_goes_it():
    ways = {*nvme_erase.ACTIONS, *nvme_erase.ERASES, *attempts.ATA_SECURITY, *attempts.LEAVES_ZEROS}
    assert ways == set(Method) == set(CHOICES["automatic"])
