"""Recipes: those that come along, those that users bring, and what is wrong with a bad one, field by field."""

import re
import shutil
import subprocess
from pathlib import Path, PurePath

import pytest

from appliance.errors import Conflict, Invalid, NotFound
from appliance.recipes.order import Order, bootstrap, environment, hooks, sources_list, stage_of
from appliance.recipes.recipe import KEYRINGS, LARGEST, check_packages, parsed
from appliance.recipes.shelf import MOST, OURS, Shelf

GOOD = """
title = "Debian, small"
suite = "trixie"
keyring = "debian"
packages = ["systemd-sysv", "openssh-server"]
enable = ["ssh.service"]

[[source]]
address = "http://deb.debian.org/debian/"
suites = ["trixie", "trixie-updates"]
components = ["main"]

[[source]]
address = "http://deb.debian.org/debian-security"
suites = ["trixie-security"]
components = ["main"]
"""


def test_the_recipes_that_come_along_can_be_made_and_what_is_made_can_be_a_root(tmp_path: Path) -> None:
    kept = Shelf(tmp_path / "own").all()
    assert [each.name for each in kept] == ["debian-12", "debian-13", "ubuntu-2204", "ubuntu-2404"]
    for each in kept:
        assert each.builtin
        assert each.recipe is not None, each.trouble
        assert each.recipe.keyring == each.name.partition("-")[0]
        assert {"systemd-sysv", "openssh-server", "python3", "ca-certificates"} <= set(each.recipe.packages)
        assert {"systemd-networkd.service", "ssh.service"} <= set(each.recipe.enable)
        assert bool(each.recipe.disk) == (each.recipe.keyring == "debian")
        assert any("security" in source.address for source in each.recipe.sources)


def test_a_recipe_is_read_with_what_it_leaves_out() -> None:
    found = parsed(GOOD)
    assert (found.title, found.variant, found.minutes, found.gigabytes) == ("Debian, small", "minbase", 120, 10)
    assert found.sources[0].address == "http://deb.debian.org/debian"


@pytest.mark.parametrize(
    ("was", "becomes", "field"),
    [
        ('title = "Debian, small"', "", "title"),
        ('title = "Debian, small"', 'title = "a\\nb"', "title"),
        ('suite = "trixie"', 'suite = "Trixie; reboot"', "suite"),
        ('suite = "trixie"', 'suite = "bookworm"', "suite"),
        ('keyring = "debian"', 'keyring = "/tmp/mine.gpg"', "keyring"),
        ('["systemd-sysv", "openssh-server"]', "[]", "packages"),
        ('["systemd-sysv", "openssh-server"]', '"systemd-sysv"', "packages"),
        ('"openssh-server"]', '"./mine.deb"]', "packages"),
        ('"openssh-server"]', '"--option"]', "packages"),
        ('"openssh-server"]', "7]", "packages"),
        ('["ssh.service"]', '["$(reboot).service"]', "enable"),
        ('["ssh.service"]', '["ssh"]', "enable"),
        ("enable", "enabled", "enabled"),
        ('keyring = "debian"', 'keyring = "debian"\nminutes = 0', "minutes"),
        ('keyring = "debian"', 'keyring = "debian"\nminutes = true', "minutes"),
        ('keyring = "debian"', 'keyring = "debian"\ngigabytes = "10"', "gigabytes"),
        ('keyring = "debian"', 'keyring = "debian"\nvariant = "buildd"', "variant"),
        ("http://deb.debian.org/debian/", "file:///var/lib/appliance", "source[1].address"),
        ("http://deb.debian.org/debian/", "http://me:secret@deb.debian.org/debian", "source[1].address"),
        ("http://deb.debian.org/debian-security", "http://127.0.0.1/debian", "source[2].address"),
        ("http://deb.debian.org/debian-security", "http://x/a b trusted=yes", "source[2].address"),
        ('["trixie-security"]', '["trixie security"]', "source[2].suites"),
        ('["trixie-security"]\ncomponents = ["main"]', '["trixie-security"]', "source[2].components"),
        ('["trixie-security"]', '["trixie-security"]\nsigned = false', "source[2].signed"),
        (GOOD, "", "title"),
        (GOOD, "title = ", "recipe"),
        (GOOD, "#" * (LARGEST + 1), "recipe"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(was: str, becomes: str, field: str) -> None:
    assert was in GOOD
    with pytest.raises(Invalid) as wrong:
        parsed(GOOD.replace(was, becomes, 1))
    assert (wrong.value.code, wrong.value.field) == ("recipe-invalid", field)
    assert wrong.value.hint


def test_source_tables_are_needed() -> None:
    for source in ("", "source = 3", "source = [1]"):
        with pytest.raises(Invalid) as wrong:
            parsed(f"{source}\n{GOOD.partition('[[')[0]}")
        assert wrong.value.field in ("source", "source[1]")


def test_packages_that_are_wanted_besides_are_names_of_packages() -> None:
    assert check_packages(["curl", "g++", "curl"]) == ("curl", "g++")
    for wrong in ("curl,vim", "-o", "a b", "/etc/passwd", "x"):
        with pytest.raises(Invalid):
            check_packages([wrong])


def test_each_source_counts_by_the_signatures_of_its_distribution_only() -> None:
    for line in sources_list(parsed(GOOD)).splitlines():
        assert line.startswith(f"deb [signed-by={KEYRINGS['debian'][0]}] http://deb.debian.org/")
    argv = bootstrap(Order(parsed(GOOD)), PurePath("/place"))
    assert not [word for word in argv if "trusted" in word.lower() or "allow" in word.lower()]


def test_packages_are_installed_in_a_user_namespace_and_nothing_of_a_proxy_stays() -> None:
    order = Order(parsed(GOOD), ("curl",), "http://10.77.0.3:3128")
    argv = bootstrap(order, PurePath("/place"))
    assert "--mode=unshare" in argv
    assert "--include=systemd-sysv,openssh-server,curl" in argv
    assert argv[-3:] == ["trixie", "/place/root.tar", "/place/sources.list"]
    assert not [word for word in argv if "3128" in word]
    assert environment(order, "/var/tmp")["http_proxy"] == "http://10.77.0.3:3128"
    assert "http_proxy" not in environment(Order(parsed(GOOD)), "/var/tmp")


def test_what_is_each_computer_s_own_is_taken_out_of_the_tree(tmp_path: Path) -> None:
    resolved = tmp_path / "usr/lib/systemd/systemd-resolved"
    for file in (
        "etc/resolv.conf",
        "etc/hostname",
        "etc/ssh/ssh_host_rsa_key",
        "etc/ssh/ssh_host_rsa_key.pub",
        "etc/ssh/sshd_config",
        "etc/machine-id",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("secret")
    made = hooks(parsed(GOOD.replace('enable = ["ssh.service"]', "")))
    for each in made:
        subprocess.run(["sh", "-c", each, "exec", str(tmp_path)], check=True)
    assert (tmp_path / "etc" / "hostname").read_text() == "localhost\n"
    assert (tmp_path / "etc" / "hosts").read_text() == "127.0.0.1 localhost\n::1 localhost\n"
    assert not (tmp_path / "etc" / "resolv.conf").exists(), "that of the appliance"
    resolved.parent.mkdir(parents=True)
    resolved.touch()
    for each in made:
        subprocess.run(["sh", "-c", each, "exec", str(tmp_path)], check=True)
    assert (tmp_path / "etc" / "resolv.conf").readlink() == Path("/run/systemd/resolve/stub-resolv.conf")
    assert sorted(path.name for path in (tmp_path / "etc" / "ssh").iterdir()) == ["sshd_config"]
    assert (tmp_path / "etc" / "machine-id").read_text() == ""


def test_the_stages_are_those_that_mmdebstrap_says() -> None:
    """In its own source: a version that words them otherwise would show nothing until the end."""
    program = shutil.which("mmdebstrap")
    assert program is not None
    source = Path(program).read_text()
    for words in re.findall(r'"([a-z ]+)": 0', (OURS.parent / "order.py").read_text()):
        assert words.replace("apt-get update", "") in source
    assert stage_of("I: extracting archives...") == 0.3
    assert stage_of("Get:1 http://x extracting archives") is None


def test_a_user_s_recipe_is_kept_changed_and_removed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "own")
    shelf.put("small", GOOD)
    assert shelf.usable("small").title == "Debian, small"
    shelf.put("small", GOOD.replace("small", "tiny"))
    assert [each.recipe.title for each in shelf.all() if each.recipe and not each.builtin] == ["Debian, tiny"]
    shelf.remove("small")
    with pytest.raises(NotFound):
        shelf.one("small")
    with pytest.raises(NotFound):
        shelf.remove("../../etc/passwd")


def test_those_that_came_along_stay_and_names_lead_nowhere_else(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "own")
    with pytest.raises(Conflict, match="came with"):
        shelf.put("debian-13", GOOD)
    with pytest.raises(Conflict):
        shelf.remove("debian-13")
    for name in ("../x", "", "a/b", "X"):
        with pytest.raises(Invalid):
            shelf.put(name, GOOD)
    assert list(tmp_path.rglob("*.toml")) == []


def test_a_recipe_that_this_version_cannot_read_is_shown_and_not_used(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "later.toml").write_text(GOOD + "\n[future]\n")
    known = Shelf(own).one("later")
    assert known.recipe is None
    assert "future" in known.trouble
    with pytest.raises(Invalid):
        Shelf(own).usable("later")


def test_their_number_is_bounded(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(MOST):
        (tmp_path / f"r{number}.toml").write_text("")
    with pytest.raises(Conflict, match="already"):
        shelf.put("one-more", GOOD)
    shelf.put("r1", GOOD)
