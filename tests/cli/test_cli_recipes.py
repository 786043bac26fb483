"""``qrm recipes``, and images by them."""

from pathlib import Path
from typing import Any

import pytest
from cli_world import Cli

from appliance.intake import IMAGE_BUILD
from appliance.recipes.shelf import OURS
from appliance.reconcile.jobs import JobKind, Running
from tests.programs_of_debian_13 import first_in_path

MINE = (OURS / "debian-13.toml").read_text().replace("Debian 13 (trixie)", "Web server")


async def test_a_recipe_of_one_s_own_is_brought_shown_used_and_deleted(
    qrm: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_in_path(monkeypatch, tmp_path)
    file = tmp_path / "web.toml"
    file.write_text(MINE)
    assert "web: Web server" in (await qrm.run("recipes", "add", str(file))).out
    listed = (await qrm.run("recipes")).out
    assert "Web server" in listed
    assert "debian-12" in listed
    assert (await qrm.run("recipes", "show", "web")).out == MINE
    asked: list[dict[str, Any]] = []

    async def make(running: Running) -> dict[str, Any]:
        asked.append(running.task.arguments)
        return {"image": 1, "name": "web-1", "format": "squashfs", "size": 5_000_000, "sha256": "ab" * 32}

    qrm.kinds[IMAGE_BUILD] = JobKind(make, resumes=True)
    made = await qrm.run("images", "create", "web-1", "--recipe", "web", "--package", "nginx", "--package", "curl")
    assert "web-1: 5.0 MB, squashfs" in made.out
    assert asked[0]["order"]["packages"] == ["nginx", "curl"]
    assert asked[0]["description"] == "Web server"
    assert asked[0]["order"]["disk"] is False
    await qrm.run("images", "create", "web-disk", "--recipe", "web", "--disk")
    assert asked[1]["order"]["disk"] is True
    assert "web is removed" in (await qrm.run("recipes", "delete", "web", "--confirm", "web")).out


async def test_a_bad_recipe_is_refused_with_its_field_before_it_is_sent(qrm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "web.toml"
    file.write_text(MINE.replace('keyring = "debian"', 'keyring = "mine"'))
    assert "in the recipe, keyring: keyring is 'mine'" in (await qrm.run("recipes", "add", str(file), code=1)).err
    assert "recipe-unknown" in (await qrm.run("recipes", "show", "web", code=4)).err
    await qrm.run("images", "create", "web-1", code=2)
