"""Volumes by ``qrm``: all that ``qrm-lvm-manage-images add|remove|snap|list`` did, and more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from cli_world import Cli
from hypothesis import given
from hypothesis import strategies as st
from storage_bench import memory_pool
from test_cli_completion import tab

from appliance.cli.storage_words import LEVELS, VolumeSize, level_words, room, share

GIB = 1 << 30


@pytest.fixture
async def fast(qrm: Cli) -> Cli:
    """With the pool ``fast``, of memory."""
    await memory_pool(qrm.world.services)
    return qrm


async def names(qrm: Cli, *words: str) -> list[str]:
    return [each["name"] for each in (await qrm.run("volumes", "list", *words, "--json")).json["items"]]


async def test_add_list_snap_and_remove(fast: Cli) -> None:
    """What openQRM's own tool could do, in its order."""
    assert "web is made" in (await fast.run("volumes", "create", "fast", "web", "10G")).out
    shown = (await fast.run("volumes")).out
    assert "10 GiB" in shown
    assert "web" in shown
    await fast.run("volumes", "snapshot", "web", "monday")
    await fast.run("volumes", "clone", "web", "customer1", "--size", "20G")
    assert await names(fast) == ["customer1", "monday", "web"]
    asked = await fast.run("volumes", "delete", "web", code=1)
    assert "10.0 GiB) is deleted. What is in it is lost." in asked.err
    assert "confirmation-needed" in asked.err
    await fast.run("volumes", "delete", "web", "--yes")
    await fast.run("volumes", "delete", "fast/monday", "--confirm", "monday")
    assert await names(fast) == ["customer1"]


async def test_one_of_an_image_needs_no_size(fast: Cli) -> None:
    asked = await fast.run("volumes", "create", "fast", "web", code=2)
    assert "--image" in asked.err
    assert "image-unknown" in (await fast.run("volumes", "create", "fast", "web", "--image", "debian", code=4)).err


async def test_grow_rename_golden_and_roll_back(fast: Cli) -> None:
    await fast.run("volumes", "create", "fast", "web", "1G", "--golden")
    assert "golden" in (await fast.run("volumes", "delete", "web", "--yes", code=4)).err
    await fast.run("volumes", "golden", "web", "--off")
    await fast.run("volumes", "grow", "web", "2GiB")
    await fast.run("volumes", "snapshot", "web", "kept")
    asked = await fast.run("volumes", "roll-back", "web", "kept", code=1)
    assert "What was written to it since is lost" in asked.err
    done = await fast.run("volumes", "roll-back", "fast/web", "fast/kept", "--yes", "--wait")
    assert "web holds again what kept has kept" in done.out
    await fast.run("volumes", "rename", "web", "shop")
    found = (await fast.run("volumes", "show", "shop", "--json")).json
    assert (found["size"], found["golden"]) == (2 * GIB, False)
    assert (await fast.run("volumes", "show", found["id"], "--json")).json == found
    assert "/memory/" in (await fast.run("volumes", "show", "fast/shop")).out
    assert "volume-refused" in (await fast.run("volumes", "roll-back", "shop", "shop", code=4)).err


async def test_lists_are_filtered(fast: Cli) -> None:
    await memory_pool(fast.world.services, "slow")
    for pool, name, size in (("fast", "web", "2G"), ("fast", "mail", "1G"), ("slow", "web", "3G")):
        await fast.run("volumes", "create", pool, name, size, *(["--golden"] if name == "mail" else []))
    await fast.run("volumes", "snapshot", "mail", "kept")
    for words, found in (
        (("--pool", "fast", "--writable"), ["mail", "web"]),
        (("--golden",), ["mail"]),
        (("--read-only",), ["kept"]),
        (("--origin", "mail"), ["kept"]),
        (("--sort", "-size", "--limit", "2"), ["web", "web"]),
        (("-q", "ma"), ["mail"]),
        (("--in-use",), []),
        (("--limit", "0"), ["kept", "mail", "web", "web"]),
    ):
        assert await names(fast, *words) == found, words
    assert "No volume matches." in (await fast.run("volumes", "--trouble")).out
    ambiguous = await fast.run("volumes", "delete", "web", "--yes", code=1)
    assert "fast/web, slow/web" in ambiguous.err
    await fast.run("volumes", "delete", "slow/web", "--yes")
    assert await names(fast, "-q", "web") == ["web"]


async def test_without_a_pool_it_says_how_to_make_one(qrm: Cli) -> None:
    for words, code in (
        (("create", "fast", "web", "1G"), 4),
        (("show", "web"), 1),
        (("delete", "fast/web", "--yes"), 4),
        (("list", "--pool", "fast"), 4),
    ):
        said = (await qrm.run("volumes", *words, code=code)).err
        assert "qrm pools make NAME" in said, words
    assert "qrm pools make NAME" in (await qrm.run("volumes")).out
    await memory_pool(qrm.world.services)
    assert "qrm volumes create POOL NAME SIZE" in (await qrm.run("volumes")).out
    assert "qrm pools make" not in (await qrm.run("volumes", "create", "slow", "web", "1G", code=4)).err


async def test_what_takes_long_is_a_task_that_can_be_waited_for(qrm: Cli, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    await qrm.run("pools", "make", "files", "--directory", str(tmp_path / "pool"), "--wait")
    await qrm.run("volumes", "create", "files", "web", "8MiB")
    begun = await qrm.run("volumes", "clone", "web", "copy")
    assert "Cloning a volume as copy in files (task 2)" in begun.out
    await qrm.run("tasks", "wait", "2")
    done = await qrm.run("volumes", "snapshot", "web", "kept", "--wait")
    assert "kept keeps what web holds now" in done.out
    assert "Making the snapshot kept" in done.err
    assert await names(qrm) == ["copy", "kept", "web"]


@pytest.mark.parametrize("size", ["0", "-1", "many", "1e9", "10 parsecs", "", "9999TiB"])
async def test_sizes_that_are_none(fast: Cli, size: str) -> None:
    assert "10G, 512MiB or 2TB" in (await fast.run("volumes", "create", "fast", "--", "web", size, code=2)).err


async def test_what_the_pool_refuses_is_said_with_its_code(fast: Cli) -> None:
    assert "volume-name" in (await fast.run("volumes", "create", "fast", "a b", "1G", code=4)).err
    assert "pool-too-small" in (await fast.run("volumes", "create", "fast", "web", "500T", code=4)).err
    await fast.run("volumes", "create", "fast", "web", "2G")
    assert "volume-shrinks" in (await fast.run("volumes", "grow", "web", "1G", code=4)).err
    assert "volume-unknown" in (await fast.run("volumes", "grow", "none", "1G", code=1)).err


async def test_the_tab_key_knows_volumes(fast: Cli) -> None:
    await fast.run("volumes", "create", "fast", "web", "1G")
    assert await tab(fast, "volumes", "delete", "w") == ["web"]
    assert await tab(fast, "volumes", "create", "") == ["fast"]
    assert await tab(fast, "volumes", "list", "--pool", "") == ["fast"]


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_size_or_refused(text: str) -> None:
    try:
        size = VolumeSize().convert(text, None, None)
    except click.BadParameter:
        return
    assert 1 <= size <= 1 << 50


@pytest.mark.parametrize(
    ("say", "given_", "words"),
    [
        (room, None, ""),
        (room, 0, "0 bytes"),
        (room, 4 << 20, "4 MiB"),
        (room, 10 * GIB, "10 GiB"),
        (room, 3 << 39, "1.5 TiB"),
        (share, None, ""),
        (share, {"total": 0, "used": 0}, "100%"),
        (share, {"total": 1000, "used": 799}, "80%"),
        (level_words, {"trouble": "", "level": "fine", "overcommitted": False}, "fine"),
        (level_words, {"trouble": "", "level": "stop", "overcommitted": True}, f"{LEVELS['stop']}, overcommitted"),
        (level_words, {"trouble": "a disk is missing", "level": "fine", "overcommitted": False}, "a disk is missing"),
    ],
)  # fmt: skip
def test_words(say: Callable[[Any], str], given_: Any, words: str) -> None:
    assert say(given_) == words
