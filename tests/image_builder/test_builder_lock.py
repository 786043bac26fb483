"""The lock file says what pyproject.toml asks for, each by hash."""

import re

from builder import lock


def test_every_requirement_of_the_project_is_locked_by_hash() -> None:
    lines = [line for line in lock.LOCK.read_text().splitlines() if not line.startswith("#")]
    names = set()
    for line in lines:
        found = re.fullmatch(r"([a-z0-9.-]+)==(\S+) --hash=sha256:[0-9a-f]{64}", line)
        assert found, line
        names.add(found[1])
    wanted = {re.split(r"[<>=;\[ ]", one)[0].lower() for one in lock.requirements(lock.PROJECT.read_text())}
    assert wanted <= names, f"say: image-builder/build lock ({wanted - names})"


def test_a_report_of_pip_becomes_lines_in_order() -> None:
    def one(name: str) -> dict[str, dict[str, object]]:
        return {
            "metadata": {"name": name, "version": "1"},
            "download_info": {"archive_info": {"hashes": {"sha256": "ab"}}},
        }

    made = lock.locked({"install": [one("Zed_Last"), one("alpha")]})
    assert made.removeprefix(lock.HEADER.format(python=lock.PYTHON)).splitlines() == [
        "alpha==1 --hash=sha256:ab",
        "zed-last==1 --hash=sha256:ab",
    ]


def test_packages_are_for_the_python_of_the_appliance_only() -> None:
    assert "--only-binary=:all:" in lock.target()
    assert lock.target()[lock.target().index("--python-version") + 1] == "3.13"
