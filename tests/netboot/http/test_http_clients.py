"""Independent clients of boot HTTP: curl, busybox, and hundreds that read slowly or not at all."""

import asyncio
import os
import socket
import subprocess

import psutil
import pytest
import pytest_asyncio
from http_serving import TalkingFleet, ask, served

from appliance.netboot.http import BootFiles, BootHttp

SIZE = 8 << 20
SLOW_READERS = 300
MOST_GROWTH = 64 << 20
"""Bytes of memory that all slow readers together may cost: a fifth of a megabyte each."""


@pytest.fixture
def content(tmp_path):
    for name in ("programs", "stack", "extra"):
        (tmp_path / name).mkdir()
    (tmp_path / "programs" / "snponly.efi").write_bytes(os.urandom(SIZE))
    return (tmp_path / "programs" / "snponly.efi").read_bytes()


@pytest_asyncio.fixture
async def port(content, tmp_path):
    files = BootFiles(
        tmp_path / "programs", tmp_path / "stack", "/stack/ab", b"PEM", "f" * 64, 80, 443, tmp_path / "extra"
    )

    async def told(*_):
        return None

    async with served(BootHttp(TalkingFleet(), files, lambda: 0.0, told, lambda *_: True).make_app()) as number:
        yield number


async def said(*argv, cwd):
    """What an independent client prints; it has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(60):
        words, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()
    return words.decode()


async def test_curl_fetches_twice_on_one_connection_without_a_redirect(port, content, tmp_path):
    form = "%{http_code} %{num_redirects} %{num_connects} %{size_download}\\n"
    url = f"http://127.0.0.1:{port}//boot//snponly.efi"
    argv = ["curl", "-sS", "--path-as-is", "--location", "-w", form, "-o", "one", "-o", "two", url, url]
    words = await said(*argv, cwd=tmp_path)
    assert words.splitlines() == [f"200 0 1 {SIZE}", f"200 0 0 {SIZE}"]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == content


async def test_curl_resumes_where_it_was_broken_off(port, content, tmp_path):
    (tmp_path / "got").write_bytes(content[:1_000_001])
    await said("curl", "-sS", "-C", "-", "-o", "got", f"http://127.0.0.1:{port}/boot/snponly.efi", cwd=tmp_path)
    assert (tmp_path / "got").read_bytes() == content


async def test_curl_s_head_has_the_exact_length(port, content, tmp_path):
    words = await said("curl", "-sS", "--head", f"http://127.0.0.1:{port}/boot/snponly.efi", cwd=tmp_path)
    assert f"content-length: {SIZE}" in words.lower().splitlines()


async def test_busybox_wget_fetches(port, content, tmp_path):
    await said("busybox", "wget", "-q", "-O", "got", f"http://127.0.0.1:{port}/boot/snponly.efi", cwd=tmp_path)
    assert (tmp_path / "got").read_bytes() == content


@pytest.mark.parametrize(
    "target", ["/", "/boot", "/boot/", "/files", "/files/", "/boot/snponly.efi/", "//", "/stack/ab/"]
)
async def test_nothing_is_ever_redirected(port, target):
    assert not 300 <= (await ask(port, target)).status < 400


async def test_hundreds_that_read_slowly_cost_little_and_hold_up_nobody(port, content):
    loop = asyncio.get_running_loop()
    before = psutil.Process().memory_info().rss
    slow = []
    try:
        for _ in range(SLOW_READERS):
            slow.append(reader := socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.setblocking(False)
            await loop.sock_connect(reader, ("127.0.0.1", port))
            await loop.sock_sendall(reader, b"GET /boot/snponly.efi HTTP/1.1\r\nHost: x\r\n\r\n")
        for reader in slow:
            assert (await loop.sock_recv(reader, 100)).startswith(b"HTTP/1.1 200")
        answers = await asyncio.gather(*(ask(port, "/boot/snponly.efi", Range="bytes=-1000000") for _ in range(4)))
        assert [answer.body == content[-1_000_000:] for answer in answers] == [True] * 4
        grown = psutil.Process().memory_info().rss - before
    finally:
        for reader in slow:
            reader.close()
    assert grown < MOST_GROWTH, grown
