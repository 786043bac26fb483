"""Boot HTTP on real sockets, on both event loops: byte-exact files, ranges, and what hostile clients send."""

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import socket

import pytest
import pytest_asyncio
from http_serving import TalkingFleet, ask, read_answer, served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import ApplianceError, Denied, Invalid, NotFound
from appliance.netboot.fleet import Boot
from appliance.netboot.http import BootFiles, BootHttp, boot_request
from appliance.netboot.policy import MaintenanceStack

BIG = 24 << 20


class Site:
    """Directories, the fleet, what was told as fetched, and the application."""

    def __init__(self, path):
        self.path, self.fleet, self.fetched, self.proven = path, TalkingFleet(), [], True
        for name in ("programs", "stack", "extra"):
            (path / name).mkdir()
        (path / "programs" / "undionly.kpxe").write_bytes(b"0123456789")
        (path / "stack" / "vmlinuz").write_bytes(b"kernel")
        (path / "stack" / "initrd").write_bytes(b"initrd")
        (path / "extra" / "sub").mkdir()
        (path / "extra" / "sub" / "a b.txt").write_bytes(b"extra")
        (path / "extra-secret").write_bytes(b"secret")
        (path / "secret").write_bytes(b"secret")
        (path / "extra" / "link").symlink_to(path / "secret")
        (path / "extra" / "loop").symlink_to(path / "extra" / "loop")
        os.mkfifo(path / "extra" / "fifo")
        (path / "extra" / "empty").write_bytes(b"")

    async def told(self, address, path, size):
        self.fetched.append((address, path, size))

    def proves(self, *asked):
        self.asked = asked
        return self.proven

    def app(self):
        files = BootFiles(
            self.path / "programs",
            self.path / "stack",
            "/stack/0a1b",
            b"PEM",
            "f" * 64,
            80,
            443,
            self.path / "extra",
        )
        return BootHttp(self.fleet, files, lambda: 5.5, self.told, self.proves).make_app()


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest_asyncio.fixture
async def port(site):
    async with served(site.app()) as number:
        yield number


async def test_a_boot_program(site, port):
    answer = await ask(port, "/boot/undionly.kpxe")
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.headers["content-length"] == "10"
    assert answer.headers["accept-ranges"] == "bytes"
    assert site.fetched == [("127.0.0.1", "/boot/undionly.kpxe", 10)]


@pytest.mark.parametrize(
    "target",
    ["//boot/undionly.kpxe", "/boot//undionly.kpxe", "///boot///undionly.kpxe", "/stack//0a1b//vmlinuz"],
)
async def test_doubled_slashes_are_tolerated_without_a_redirect(port, target):
    answer = await ask(port, target)
    assert answer.status == 200
    assert answer.body in (b"0123456789", b"kernel")


async def test_doubled_slashes_keep_the_query_and_get_plain_errors(site, port):
    answer = await ask(port, "//boot//script?mac=52-54-00-00-00-01&uuid=x")
    assert answer.status == 200
    assert site.fleet.asked[0][1].mac == "52:54:00:00:00:01"
    assert (await ask(port, "//boot/script")).status == 422
    assert (await ask(port, "//boot/none")).status == 404


async def test_head_says_the_length_and_sends_nothing(port):
    answer = await ask(port, "/boot/undionly.kpxe", "HEAD")
    assert (answer.status, answer.headers["content-length"]) == (200, "10")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HEAD /boot/undionly.kpxe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    said = await reader.read()
    writer.close()
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"\r\n\r\n"), "nothing comes behind the head"


async def test_range_means_nothing_to_head(port):
    answer = await ask(port, "/boot/undionly.kpxe", "HEAD", Range="bytes=1-2")
    assert (answer.status, answer.headers["content-length"]) == (200, "10")


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
        ("BYTES=2-4", b"234", "bytes 2-4/10"),
    ],
)
async def test_ranges(port, asked, body, content_range):
    answer = await ask(port, "/boot/undionly.kpxe", Range=asked)
    assert (answer.status, answer.body, answer.headers["content-range"]) == (206, body, content_range)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=5-2"])
async def test_ranges_that_cannot_be_had(port, asked):
    answer = await ask(port, "/boot/undionly.kpxe", Range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")


@pytest.mark.parametrize("asked", ["items=0-1", "bytes=0-1,4-5", "bytes=-", "bytes", "bytes=" + "9" * 5000 + "-", "x"])
async def test_ranges_that_are_not_understood_are_ignored(port, asked):
    answer = await ask(port, "/boot/undionly.kpxe", Range=asked)
    assert (answer.status, answer.body) == (200, b"0123456789")


async def test_a_range_of_a_version_that_we_never_named_is_the_whole(port):
    answer = await ask(port, "/boot/undionly.kpxe", Range="bytes=0-1", If_Range='"x"')
    assert (answer.status, answer.body) == (200, b"0123456789")


async def test_an_empty_file(port):
    answer = await ask(port, "/files/empty")
    assert (answer.status, answer.headers["content-length"]) == (200, "0")
    assert (await ask(port, "/files/empty", Range="bytes=0-")).status == 416


@pytest.mark.parametrize(
    "target",
    [
        "/files/../secret",
        "/files/%2e%2e/secret",
        "/files/..%2fsecret",
        "/files/sub/../../secret",
        "/files/%2fetc%2fpasswd",
        "/files//etc/passwd",
        "/files/../extra-secret",
        "/files/link",
        "/files/loop",
        "/files/fifo",
        "/files/sub",
        "/files/a%00b",
        "/files/" + "a" * 5000,
        "/files/" + "a/" * 2000,
        "/files/%ff%fe",
        b"/files/\xff\xfe",
        "/boot/..%2fsecret",
        "/boot/%00",
        "/stack/0a1b/initrd%00",
        "/stack/0a1b/..%2f..%2fsecret",
        "/stack/ffff/vmlinuz",
        "/images/1/../content",
        "/images/99999999999999999999/content",
        b"/poll/\xff",
        "*",
    ],
)
async def test_names_that_lead_elsewhere_find_nothing(site, port, target):
    site.fleet.answers["poll"] = NotFound("session-unknown", "this poll has ended")
    answer = await ask(port, target)
    assert answer.status in (400, 403, 404)
    assert b"secret" not in answer.body or b"is not here" in answer.body
    assert b"root:" not in answer.body


async def test_further_files(port):
    assert (await ask(port, "/files/sub/a%20b.txt")).body == b"extra"


async def test_a_script_of_this_machine(site, port):
    site.fleet.answers["boot"] = Boot(MaintenanceStack(armed=True), "node-1", "because", "t" * 64, "nonce")
    answer = await ask(port, "/boot/script?mac=52-54-00-AA-BB-CC&platform=efi&product=A%0ab&serial=None")
    asked = site.fleet.asked[0][1]
    assert (asked.mac, asked.firmware, asked.serial) == ("52:54:00:aa:bb:cc", "uefi", None)
    assert (asked.product, asked.address, asked.server) == ("Ab", "127.0.0.1", "127.0.0.1")
    assert answer.body.startswith(b"#!ipxe\n")
    assert b"qrm.token=" + b"t" * 64 in answer.body
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("proven", [True, False])
async def test_a_request_says_whether_it_is_the_machine_s_own(site, port, proven):
    site.proven = proven
    await ask(port, "/boot/script?mac=52-54-00-AA-BB-CC")
    assert site.asked == ("52:54:00:aa:bb:cc", "127.0.0.1", "127.0.0.1")
    assert site.fleet.asked[0][1].proven is proven


async def test_head_of_a_script_is_no_boot(site, port):
    assert (await ask(port, "/boot/script?mac=52-54-00-AA-BB-CC", "HEAD")).status >= 400
    assert site.fleet.asked == []


@pytest.mark.parametrize(
    "query", ["", "?mac=", "?mac=x", "?mac=00:00:00:00:00:00", "?mac=ff:ff:ff:ff:ff:ff", "?mac=%ff"]
)
async def test_a_script_for_nobody_is_refused_with_the_reason(site, port, query):
    answer = await ask(port, "/boot/script" + query)
    assert answer.status == 422
    assert answer.body.startswith(b"mac-")
    assert site.fleet.asked == []


async def test_trust_and_time(port):
    assert (await ask(port, "/ca.pem")).body == b"PEM"
    answer = await ask(port, "/time")
    assert (answer.body, answer.headers["cache-control"]) == (b'{"now": 5.5}', "no-store")
    assert b"chain --autofree http://127.0.0.1/boot/script?" in (await ask(port, "/boot/start.ipxe")).body


async def test_where_the_stack_is_can_be_asked_without_booting(site, port):
    paths = json.loads((await ask(port, "/boot/stack.json")).body)
    assert set(paths) == {"vmlinuz", "initrd"}
    for path in paths.values():
        assert (await ask(port, path)).status == 200
    assert site.fleet.asked == []


async def test_the_poll_says_come_or_wait_or_not_found(site, port):
    assert (await ask(port, "/poll/p1")).body == b"wait\n"
    site.fleet.answers["poll"] = True
    assert (await ask(port, "/poll/p1")).body == b"come\n"
    site.fleet.answers["poll"] = NotFound("session-unknown", "this poll has ended")
    assert (await ask(port, "/poll/p1")).status == 404


async def test_images_are_for_the_bearer_of_a_token(site, port):
    site.fleet.answers["image"] = site.path / "programs" / "undionly.kpxe"
    for headers in ({}, {"Authorization": "Basic x"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}):
        assert (await ask(port, "/images/7/content", **headers)).status == 403
    assert site.fleet.asked == []
    answer = await ask(port, "/images/7/content", Authorization="bearer tok", Range="bytes=8-")
    assert (answer.status, answer.body) == (206, b"89")
    assert site.fleet.asked == [("image", "tok", 7)]
    site.fleet.answers["image"] = Denied("token-unknown", "no")
    assert (await ask(port, "/images/7/content", Authorization=b"Bearer \xff")).status == 403
    site.fleet.answers["image"] = site.path / "gone"
    assert (await ask(port, "/images/7/content", Authorization="Bearer tok")).status == 404


async def test_a_store_that_fails_is_503_with_what_to_do(site, port):
    site.fleet.answers["poll"] = ApplianceError("store-failed", "disk full", "look at the disk")
    answer = await ask(port, "/poll/abc")
    assert (answer.status, answer.body) == (503, b"store-failed: disk full (look at the disk)\n")


async def test_a_boot_that_cannot_be_decided_now_is_a_script_that_asks_again(site, port):
    """Firmware that has the script's URL from DHCP takes an error for the end, and goes on to the next device."""
    site.fleet.answers["boot"] = ApplianceError("store-failed", "disk full", "look at the disk")
    answer = await ask(port, "/boot/script?mac=52-54-00-AA-BB-CC&product=%0ashell")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    lines = answer.body.decode().splitlines()
    assert lines[:2] == ["#!ipxe", "echo disk full. Asking again in 10 s."]
    assert lines[2].startswith("echo To do: wait")
    assert lines[3].startswith("echo Code AABBCC-11: ")
    assert lines[4] == "sleep 10 ||"
    (chain,) = [line for line in lines if line.startswith("chain")]
    assert chain.startswith("chain --replace --autofree http://127.0.0.1/boot/script?mac=${netX/mac:hexhyp}&uuid=")
    assert lines[-1] == "goto again"
    assert b"shell" not in answer.body


@pytest.mark.parametrize(
    ("target", "said"), [("script?mac=52-54-00-AA-BB-CC", "echo "), ("grub/52:54:00:aa:bb:cc/none", "echo '")]
)
async def test_a_defect_of_ours_is_a_script_that_asks_again_too(site, port, target, said, caplog):
    site.fleet.answers["boot"] = RuntimeError("a defect")
    answer = await ask(port, f"/boot/{target}")
    assert answer.status == 200
    assert f"{said}The appliance failed to decide what to boot, its log says why. Asking again" in answer.body.decode()
    assert "a defect" in caplog.text


@pytest.mark.parametrize("error", [Invalid("x", "no"), Denied("x", "no"), NotFound("x", "no")])
async def test_a_boot_that_is_refused_is_not_asked_for_again(site, port, error):
    site.fleet.answers["boot"] = error
    assert (await ask(port, "/boot/script?mac=52-54-00-AA-BB-CC")).status in (401, 403, 404, 422)


def big_file(site):
    """Content in which every misplaced byte shows."""
    path = site.path / "stack" / "initrd"
    content = b"".join(number.to_bytes(8, "big") for number in range(BIG // 8)) + b"end"
    path.write_bytes(content)
    return content


async def test_a_big_file_is_byte_exact_and_the_connection_goes_on(site, port):
    content = big_file(site)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(b"GET /stack/0a1b/initrd HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await read_answer(reader)
        assert hashlib.sha256(answer.body).digest() == hashlib.sha256(content).digest()
    writer.write(b"GET /time HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await read_answer(reader)).status == 200
    writer.close()


async def test_requests_in_one_piece_are_answered_in_order(site, port):
    content = big_file(site)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    one = b"GET /stack/0a1b/initrd HTTP/1.1\r\nHost: x\r\nRange: bytes=%d-\r\n\r\n"
    writer.write(one % 8 + one % 16 + b"GET /boot/undionly.kpxe HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await read_answer(reader)).body == content[8:]
    assert (await read_answer(reader)).body == content[16:]
    assert (await read_answer(reader)).body == b"0123456789"
    writer.close()


async def test_headers_are_never_overtaken_by_the_content_before_a_full_socket(site, port):
    """Many answers queue up behind a reader with a small window; each header must still come before its content."""
    content = big_file(site)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=2048)
    one = b"GET /stack/0a1b/initrd HTTP/1.1\r\nHost: x\r\nRange: bytes=%d-%d\r\n\r\n"
    sizes = [1 + 7919 * number for number in range(60)]
    writer.write(b"".join(one % (number, number + size - 1) for number, size in enumerate(sizes)))
    for number, size in enumerate(sizes):
        assert (await read_answer(reader)).body == content[number : number + size]
    writer.close()


async def test_a_slow_reader_holds_up_nobody(site, port):
    content = big_file(site)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(slow, ("127.0.0.1", port))
    await loop.sock_sendall(slow, b"GET /stack/0a1b/initrd HTTP/1.0\r\nHost: x\r\n\r\n")
    assert (await loop.sock_recv(slow, 100)).startswith(b"HTTP/1.")
    answers = await asyncio.gather(*(ask(port, "/stack/0a1b/initrd", Range=f"bytes={n}-") for n in range(3)))
    assert [a.body == content[n:] for n, a in enumerate(answers)] == [True] * 3
    slow.close()


async def descriptors_fall_to(number):
    async with asyncio.timeout(20):
        while len(os.listdir("/proc/self/fd")) > number:
            await asyncio.sleep(0.01)


async def test_readers_that_leave_in_the_middle_leave_nothing_behind(site, port):
    big_file(site)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /stack/0a1b/initrd HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(1000)
        writer.transport.abort()
    await descriptors_fall_to(before)
    assert (await ask(port, "/time")).status == 200


@pytest.mark.parametrize(
    ("number", "logged"),
    [(errno.ETIMEDOUT, False), (errno.EHOSTUNREACH, False), (errno.ENETDOWN, False), (errno.EIO, True)],
)
async def test_a_transfer_that_cannot_go_on_ends_the_connection_and_says_whose_fault_it_is(
    site, port, monkeypatch, caplog, number, logged
):
    """After the header nothing can be said any more: no second answer, and a traceback for nobody."""
    big_file(site)
    send, calls = os.sendfile, []

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise OSError(number, os.strerror(number))
        return send(*arguments)

    monkeypatch.setattr("os.sendfile", fail)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stack/0a1b/initrd HTTP/1.1\r\nHost: x\r\n\r\n")
    got = b""
    with contextlib.suppress(ConnectionError):
        while more := await reader.read(1 << 20):
            got += more
    writer.close()
    assert got.count(b"HTTP/1.1 ") <= 1
    assert b"500" not in got.partition(b"\r\n\r\n")[0]
    assert "Traceback" not in caplog.text
    assert ("initrd" in caplog.text) == logged, caplog.text


async def test_a_reader_that_never_reads_is_given_up(site, port, monkeypatch):
    """It would keep two descriptors for as long as it likes."""
    monkeypatch.setattr("appliance.netboot.sending.STALLED_SECONDS", 0.05)
    big_file(site)
    before = len(os.listdir("/proc/self/fd"))
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(stalled, ("127.0.0.1", port))
    await loop.sock_sendall(stalled, b"GET /stack/0a1b/initrd HTTP/1.1\r\nHost: x\r\n\r\n")
    await descriptors_fall_to(before + 1)  # ours
    stalled.close()


async def test_a_file_that_shrinks_ends_the_connection_instead_of_lying(site, port):
    big_file(site)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stack/0a1b/initrd HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readexactly(1000)
    os.truncate(site.path / "stack" / "initrd", 100)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readexactly(BIG)
    writer.close()


@given(st.dictionaries(st.sampled_from(["mac", "uuid", "serial", "platform", "product", "manufacturer"]), st.text()))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_hostile_queries_become_clean_values_or_a_refusal(query):
    try:
        asked = boot_request(query, "10.0.0.1", "10.0.0.2", lambda *_: True)
    except Invalid:
        return
    for text in (asked.product, asked.manufacturer, asked.serial or ""):
        assert text.isprintable()
        assert len(text) <= 100
