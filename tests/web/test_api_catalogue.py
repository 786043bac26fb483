"""Images and kernels over the API, uploads above all."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import aiohttp
from web_world import World

BZIMAGE = b"\0" * 0x202 + b"HdrS" + b"\0" * 1000


async def test_upload_list_delete(admin: World) -> None:
    content = bytes(range(256)) * 32
    made = await admin.api("POST", "/images?name=demo&format=raw&description=a+disk", 201, data=content)
    assert made["stored_sha256"] == hashlib.sha256(content).hexdigest()
    assert (made["size"], made["format"], made["description"]) == (8192, "raw", "a disk")
    assert (await admin.api("GET", "/images"))["items"] == [made]
    assert await admin.api("GET", "/images/demo") == made
    again = await admin.api("POST", "/images?name=demo&format=raw", 409, data=content)
    assert again["code"] == "name-taken"
    await admin.api("DELETE", "/images/demo", 204)
    assert (await admin.api("GET", "/images/demo", 404))["field"] == "image"
    assert not list((admin.services.state_dir / "images").iterdir())


async def test_an_upload_larger_than_any_body_is_streamed(admin: World) -> None:
    chunk, count = b"\x5a" * (1 << 20), 24

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield chunk

    made = await admin.api("POST", "/images?name=large&format=raw", 201, data=chunks())
    assert made["stored_size"] == count << 20
    stored = admin.services.state_dir / "images" / str(made["id"])
    assert stored.stat().st_size == count << 20


async def test_bad_uploads_leave_nothing_behind(admin: World) -> None:
    for path, data, code in (
        ("/images?format=raw", b"x" * 512, "query-missing"),
        ("/images?name=..%2F..%2Fetc&format=raw", b"x" * 512, "name-invalid"),
        ("/images?name=demo&format=qcow2", b"x" * 512, "image-format"),
        ("/images?name=demo&format=raw", b"x" * 511, "image-size"),
        ("/images?name=demo&format=raw", b"", "image-empty"),
        ("/images?name=demo&format=raw.zst", b"not zstd at all", "image-format"),
    ):
        assert (await admin.api("POST", path, 422, data=data))["code"] == code
    assert not list((admin.services.state_dir / "images").iterdir())


async def test_an_upload_that_cannot_fit_is_refused_before_its_first_byte(admin: World) -> None:
    headers = {"Content-Length": str(1 << 50)}
    path = "/images?name=demo&format=raw"
    refused = await admin.api("POST", path, 507, data=b"x" * 512, headers=headers)
    assert refused["code"] == "upload-failed"
    assert "1125899.9 GB are needed" in refused["detail"]


async def test_a_broken_upload_leaves_nothing_behind(admin: World) -> None:
    url = admin.client.make_url("/api/v1/images?name=demo&format=raw")
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {admin.headers['Authorization']}\r\n"
    writer.write(head.encode() + b"Content-Length: 1000000\r\n\r\n" + b"x" * 70_000)
    await writer.drain()
    images = admin.services.state_dir / "images"
    await _until(lambda: any(part.stat().st_size for part in images.glob("*.part")))
    writer.transport.abort()
    await _until(lambda: not list(images.iterdir()))
    assert (await admin.api("GET", "/images"))["items"] == []
    del reader


async def _until(done) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)


def _form(**files: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, content in files.items():
        form.add_field(name, content, filename=name)
    return form


async def test_kernels(admin: World) -> None:
    form = _form(vmlinuz=BZIMAGE, initrd=b"initrd")
    made = await admin.api("POST", "/kernels?name=trixie&version=6.12&cmdline=quiet", 201, data=form)
    assert (made["version"], made["cmdline"], made["builtin"]) == ("6.12", "quiet", False)
    assert made["initrd_sha256"] == hashlib.sha256(b"initrd").hexdigest()
    alone = await admin.api("POST", "/kernels?name=alone", 201, data=_form(vmlinuz=BZIMAGE))
    assert alone["initrd_sha256"] is None
    assert [item["name"] for item in (await admin.api("GET", "/kernels"))["items"]] == ["alone", "trixie"]
    await admin.api("DELETE", "/kernels/trixie", 204)
    await admin.api("GET", "/kernels/trixie", 404)


async def test_bad_kernels(admin: World) -> None:
    path = "/kernels?name=bad"
    assert (await admin.api("POST", path, 422, data=_form(vmlinuz=b"no")))["code"] == "kernel-format"
    assert (await admin.api("POST", path, 422, data=_form(initrd=b"x", vmlinuz=BZIMAGE)))["code"] == "form-order"
    assert (await admin.api("POST", path, 415, data=BZIMAGE))["code"] == "body-type"
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
        problem = await admin.api("POST", path, 422, data=b"garbage\r\n" * 9, headers={"Content-Type": content_type})
        assert problem["code"] in ("body-invalid", "kernel-format")
    assert not list((admin.services.state_dir / "kernels").iterdir())
