"""Another certificate by API and by page: what is wrong is said, and what is used is written down."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from access_world import audited
from aiohttp import FormData
from console_client import Visitor, said, visitor
from web_world import World

from appliance.store import events
from appliance.web.certificate import CERTIFICATE
from tests.chains import NOW, Signed

PAGE = "/settings/certificate"


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        yield someone


def sent(signed: Signed, **more: object) -> dict[str, object]:
    return {"certificate_pem": signed.pem.decode(), "key_pem": signed.key_pem.decode(), **more}


async def call(ada: Visitor, method: str, status: int, body: object = None) -> dict[str, object]:
    headers = {**ada.headers, "Accept": "application/json"}
    async with ada.client.request(method, "/api/v1/certificate", json=body, headers=headers) as response:
        assert response.status == status, await response.text()
        answered: dict[str, object] = await response.json() if await response.read() else {}
        return answered


def here() -> Signed:
    return Signed(names=("127.0.0.1", "boot.example.com"))


async def test_by_api(ada: Visitor) -> None:
    assert (await call(ada, "GET", 200))["own"] is True
    put = await call(ada, "PUT", 200, sent(here()))
    assert (put["own"], put["names"], put["key"]) == (False, ["boot.example.com", "127.0.0.1"], "EC, P-256")
    assert "PRIVATE" not in str(put)
    await call(ada, "DELETE", 204)
    assert (await call(ada, "GET", 200))["own"] is True
    entries = await audited(World(ada.services, None, ada.client, ""), action="certificate")
    assert [each.action for each in entries] == ["certificate.reset", "certificate.set"]
    assert entries[1].before == {"own": True}
    assert "PRIVATE" not in str(entries)
    kinds = [event.kind for event in await ada.services.store.read(events.query)]
    assert kinds.count("certificate.changed") == 2


async def test_one_for_another_name_has_to_be_wanted(ada: Visitor) -> None:
    doubtful = sent(Signed(names=("other.example.com",)))
    refused = await call(ada, "PUT", 409, doubtful)
    assert refused["code"] == "certificate-doubtful"
    assert (await call(ada, "GET", 200))["own"] is True
    await call(ada, "PUT", 200, {**doubtful, "confirm": True})


async def test_a_bad_one_changes_nothing(ada: Visitor) -> None:
    await call(ada, "PUT", 200, sent(here()))
    before = await call(ada, "GET", 200)
    for bad, code in (
        ({"certificate_pem": "x", "key_pem": ""}, "certificate-missing"),
        (sent(here(), key_pem=here().key_pem.decode()), "key-differs"),
        (sent(Signed(names=("127.0.0.1",), ends=NOW)), "certificate-expired"),
    ):
        assert (await call(ada, "PUT", 422, bad))["code"] == code
        assert await call(ada, "GET", 200) == before


async def test_its_names_are_hosts_that_we_are_reached_by(ada: Visitor) -> None:
    headers = {"Host": "boot.example.com"}
    async with ada.client.get("/healthz", headers=headers) as response:
        assert response.status == 421
    await call(ada, "PUT", 200, sent(here()))
    async with ada.client.get("/healthz", headers=headers) as response:
        assert response.status == 200


async def test_by_page_pasted_and_as_files(ada: Visitor) -> None:
    signed = here()
    assert "appliance's own, renewed by itself" in said(await ada.get(PAGE))
    await ada.post(PAGE, data=sent(signed))
    assert "boot.example.com" in said(await ada.get(PAGE))
    assert await ada.post(f"{PAGE}/reset") == PAGE
    form = FormData()
    form.add_field("certificate_pem", "")
    form.add_field("certificate_pem_file", signed.pem, filename="chain.pem")
    form.add_field("key_pem_file", signed.key_pem, filename="key.pem")
    await ada.post(PAGE, data=form)
    tls = ada.client.app[CERTIFICATE].tls
    assert tls.chain is not None
    assert tls.chain.own == signed.own


async def test_the_page_says_what_is_wrong_beside_the_field(ada: Visitor) -> None:
    signed = here()
    page = await ada.post(PAGE, 422, data={"certificate_pem": signed.pem.decode(), "key_pem": "nothing"})
    assert "there is no private key in this" in said(page)
    assert 'aria-describedby="key_pem-note key_pem-error"' in page
    assert signed.pem.decode().splitlines()[3] in page, "what was pasted is not lost"
    hostile = "<script>document.title='owned'</script>"
    page = await ada.post(PAGE, 422, data={"certificate_pem": hostile, "key_pem": hostile})
    assert hostile not in page


async def test_the_page_asks_before_it_uses_one_for_another_name(ada: Visitor) -> None:
    doubtful = sent(Signed(names=("other.example.com",)))
    page = await ada.post(PAGE, 409, data=doubtful)
    assert "Use it all the same" in said(page)
    assert str(doubtful["key_pem"]).splitlines()[1] not in page, "a key is never sent back"
    await ada.post(PAGE, data={**doubtful, "confirm": "yes"})


async def test_where_somebody_else_ends_tls(world: World) -> None:
    assert replace(world.services, hosts=("x",)).tls is None
    await world.set_up()
    assert (await world.api("GET", "/certificate", 404))["code"] == "certificate-elsewhere"


async def test_every_page_says_when_the_certificate_ends_soon(ada: Visitor) -> None:
    assert "certificate ends" not in said(await ada.get("/tasks/strip"))
    await call(ada, "PUT", 409, sent(Signed(names=("127.0.0.1",), ends=NOW + 86400 * 5)))
    await call(ada, "PUT", 200, sent(Signed(names=("127.0.0.1",), ends=NOW + 86400 * 5), confirm=True))
    assert "The console's certificate ends on" in said(await ada.get("/tasks/strip"))
