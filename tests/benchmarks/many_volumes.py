"""Five thousand volumes, listed: all that follows after LVM's own report, through the helper's socket to the answer."""

import asyncio
import gc
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from appliance.pool import KnownPool, KnownVolume, Use
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.reconcile.pool_parts import pool_parts
from appliance.storage.build import Surroundings
from appliance.store import pools
from appliance.store.store import open_store
from appliance.volume import PoolId, PoolKind, VolumeId
from appliance.web.app import make_app
from appliance.web.setup import prepare_setup
from tests.benchmarks.bench import say
from tests.benchmarks.figure import Figure
from tests.benchmarks.fleet import services_over
from tests.privileged.paper_computer import computer, serving

NAME = "many-volumes"
VOLUMES, ROUNDS = 5000, 9
MOST, MOST_OF_A_PAGE = 200, 200
"""Milliseconds after LVM's own report: all of them in one answer, and a page of a hundred."""
UUID = "AAAAAA-bbbb-cccc-dddd-eeee-ffff-GGGGGG"
NOW = 1_800_000_000.0
GIB = 1 << 30


def report(volumes: int) -> str:
    """As ``lvm fullreport`` says it of one thin pool: golden images, their clones, each with a snapshot."""
    size = str(40 * GIB)
    group = {
        "vg_uuid": UUID, "vg_name": "fast", "vg_tags": POOL, "vg_size": str(1 << 44), "vg_free": str(1 << 40),
        "vg_extent_size": str(4 << 20), "vg_exported": "",
    }  # fmt: skip
    blank = {"origin": "", "lv_metadata_size": "", "metadata_percent": "", "lv_health_status": ""}
    thin = {
        **blank, "lv_uuid": "thin", "lv_name": "pool", "lv_size": str(1 << 43), "lv_tags": THIN_POOL,
        "lv_layout": "thin,pool", "pool_lv": "", "lv_path": "", "lv_metadata_size": str(8 * GIB),
        "lv_attr": "twi-aotz--", "data_percent": "41.25", "metadata_percent": "12.50",
    }  # fmt: skip
    rows = [
        {
            **blank, "lv_uuid": f"HdGCnE-yom0-KCIT-psun-4AE0-A5yn-{number:06d}", "lv_name": f"v-{number:016x}",
            "lv_size": size, "lv_layout": "thin,sparse", "pool_lv": "pool", "lv_path": f"/dev/fast/v-{number:016x}",
            "lv_tags": f"qrm.created=1795000000,qrm.id={number:016x},qrm.name=customer-{number},"
                       f"qrm.origin={number // 2:016x}",
            "origin": f"v-{number // 2:016x}", "lv_attr": "Vwi-aotz--", "data_percent": "17.05",
        }
        for number in range(1, volumes + 1)
    ]  # fmt: skip
    member = {"pv_uuid": "pv", "pv_name": "/dev/sdb", "pv_size": str(1 << 44), "pv_missing": ""}
    return json.dumps({"report": [{"vg": [group], "pv": [member], "lv": [thin, *rows], "pvseg": [], "seg": []}]})


async def measure() -> list[Figure]:
    """Medians; what LVM itself takes is not among them."""
    return await asyncio.to_thread(uvloop.run, _measure())


async def _measure() -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory(prefix="volumes-") as directory:
        async with _served(Path(directory)) as session:
            for what, query, most in (
                (f"{VOLUMES} volumes in one answer, after LVM's report", "limit=10000", MOST),
                (f"100 of {VOLUMES} volumes by words, after LVM's report", "q=customer-4&sort=-used", MOST_OF_A_PAGE),
            ):
                taken = [await _timed(session, query) for _ in range(ROUNDS)]
                say(f"{what}: {median(taken):.0f} ms")
                detail = f"{min(taken):.0f} to {max(taken):.0f} ms, {ROUNDS} requests"
                figures.append(Figure(NAME, what, median(taken), "ms", most, detail))
    return figures


async def _timed(session: aiohttp.ClientSession, query: str) -> float:
    gc.collect()
    begin = time.perf_counter()
    async with session.get(f"/api/v1/volumes?{query}") as response:
        body = await response.read()
    taken = (time.perf_counter() - begin) * 1000
    found = json.loads(body)
    assert response.status == 200, body[:500]
    assert found["total"] >= 100
    return taken


@asynccontextmanager
async def _served(directory: Path) -> AsyncIterator[aiohttp.ClientSession]:
    (directory / "helper").mkdir()
    on, _ = computer(directory / "helper", {"lvm fullreport": report(VOLUMES)})
    async with open_store(directory / "store.db") as store, serving(directory / "helper", on) as helper:
        await store.write(_seed)
        services = services_over(store, directory, lambda: NOW)
        parts = pool_parts(store, services.bus, services.clock, Surroundings(helper, services.clock))
        link = await prepare_setup(store, directory, NOW)
        runner = web.AppRunner(make_app(replace(services, storage=lambda: parts)), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            token = await _logged_in(url, str(link))
            async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:
                yield session
        finally:
            await runner.cleanup()


async def _logged_in(url: str, link: str) -> str:
    body = {"token": link.partition("token=")[2], "name": "admin", "password": "correct horse battery"}
    async with aiohttp.ClientSession(url) as session, session.post("/api/v1/setup", json=body) as response:
        made: dict[str, Any] = await response.json()
        return str(made["token"])


def _seed(db: Any) -> None:
    pools.add(db, KnownPool(PoolId(0), "fast", PoolKind.LVM_THIN, UUID, NOW))
    for number in range(1, VOLUMES + 1):
        key = VolumeId(f"{number:016x}")
        pools.put_volume(db, KnownVolume(key, PoolId(1), f"customer-{number}", Use.DEPLOYMENT, str(number)))
