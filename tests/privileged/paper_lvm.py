"""LVM of paper: understands what the helper says to lvm(8), keeps volumes as files, and reports as LVM 2.03.31 does.

New room of a thick volume holds what somebody else has left there, as on a real disk.
"""

import itertools
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.errors import ApplianceError

LEFT_OVER = b"what somebody else has left "
EXTENT = 4 << 20


@dataclass
class Logical:
    """A logical volume of paper."""

    kind: str
    size: int
    tags: set[str]
    writable: bool = True
    pool: str = ""
    origin: str = ""
    metadata: int = 0
    chunk: int = 0
    active: bool = True
    suspended: bool = False
    health: str = ""
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Group:
    """A volume group of paper."""

    devices: list[str]
    size: int = 256 << 20
    tags: set[str] = field(default_factory=set)
    logical: dict[str, Logical] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    exported: bool = False
    missing: set[str] = field(default_factory=set)

    @property
    def free(self) -> int:
        """A thin pool has a spare for its metadata."""
        taken = sum(each.size + 2 * each.metadata for each in self.logical.values() if each.kind != "thin")
        return self.size - taken


LAYOUTS = {"thin": "thin,sparse", "thin-pool": "thin,pool", "linear": "linear"}
LETTERS = {"thin": "V", "thin-pool": "t", "linear": "-"}


def failed(words: str) -> ApplianceError:
    """As ``command.said`` raises it."""
    return ApplianceError("program-failed", f"lvm: {words}")


class PaperLvm:
    """In the place of ``Computer.run``. Tests set and read its fields."""

    def __init__(self, dev: Path) -> None:
        self.dev = dev
        self.groups: dict[str, Group] = {}
        self.open: set[str] = set()
        """``group/name`` of those that somebody has open."""
        self.percent: tuple[float, float] = (1.0, 2.0)
        """How full thin pools are: data and metadata."""
        self.ran: list[str] = []
        self.said: dict[str, str | ApplianceError] = {"udevadm settle": ""}
        """What other programs say, by the beginning of their lines."""

    async def __call__(self, argv: Sequence[str], /, seconds: float = 30.0) -> str:
        """Run one."""
        line = " ".join(argv)
        if (found := next((each for each in self.said if line.startswith(each)), None)) is not None:
            self.ran.append(line)
            answer = self.said[found]
            if isinstance(answer, ApplianceError):
                raise answer
            return answer
        if argv[:2] == ["lvm", "fullreport"]:
            return self.report(argv)
        self.ran.append(line)
        assert "--yes" in argv or argv[0] == "vgcfgbackup", line
        act: Callable[[dict[str, list[str]], list[str]], None] = getattr(self, f"_{argv[0]}")
        options, words = _parsed(argv[1:])
        act(options, words)
        return ""

    def path(self, group: str, name: str) -> Path:
        """Of a volume's content."""
        return self.dev / group / name

    def put(self, group: str, name: str, size: int, tags: set[str], kind: str = "linear", pool: str = "") -> Logical:
        """One that is there, whoever made it."""
        made = self.groups[group].logical[name] = Logical(kind, size, tags, pool=pool)
        path = self.path(group, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
        if kind == "linear":
            self._soil(path, 0, size)
        return made

    def _soil(self, path: Path, begin: int, end: int) -> None:
        with path.open("r+b") as file:
            for at in range(begin, end, EXTENT // 4):
                file.seek(at)
                file.write(LEFT_OVER)

    # -- reports

    def report(self, argv: Sequence[str]) -> str:
        """With the columns that were asked for, and no others."""
        asked: dict[str, list[str]] = {}
        words = iter(argv)
        part = ""
        for each in words:
            if each == "--configreport":
                part = next(words)
            elif each == "--options":
                asked[part] = next(words).split(",")
        assert list(argv[2:7]) == ["--reportformat", "json", "--units", "b", "--nosuffix"]
        parts = [self._part(name, each, asked) for name, each in self.groups.items()]
        orphan = {"pv": [dict.fromkeys(asked["pv"], "") | {"pv_size": "1"}]}
        return json.dumps({"report": [*parts, orphan], "log": []})

    def _part(self, name: str, group: Group, asked: dict[str, list[str]]) -> dict[str, list[dict[str, str]]]:
        vg = {
            "vg_uuid": group.uuid, "vg_name": name, "vg_tags": ",".join(sorted(group.tags)), "vg_size": str(group.size),
            "vg_free": str(group.free), "vg_extent_size": str(EXTENT), "vg_exported": "exported" * group.exported,
        }  # fmt: skip
        pvs = [
            {
                "pv_uuid": f"uuid-{each}",
                "pv_name": each,
                "pv_size": "1",
                "pv_missing": "missing" * (each in group.missing),
            }
            for each in group.devices
        ]
        lvs = [self._lv(name, key, each) for key, each in group.logical.items()]
        rows = {"vg": [vg], "pv": pvs, "lv": lvs, "pvseg": [], "seg": []}
        return {part: [{column: each[column] for column in asked[part]} for each in of] for part, of in rows.items()}

    def _lv(self, group: str, name: str, of: Logical) -> dict[str, str]:
        pool = of.kind == "thin-pool"
        state = "s" if of.suspended else "a" if of.active else "-"
        opened = "o" if f"{group}/{name}" in self.open else "-"
        data = f"{self.percent[0]:.2f}" if pool else "0.10" if of.kind == "thin" else ""
        return {
            "lv_uuid": of.uuid,
            "lv_name": name,
            "lv_size": str(of.size),
            "lv_tags": ",".join(sorted(of.tags)),
            "lv_layout": LAYOUTS[of.kind],
            "pool_lv": of.pool,
            "lv_path": "" if pool else str(self.path(group, name)),
            "origin": of.origin,
            "lv_metadata_size": str(of.metadata) if pool else "",
            "lv_attr": f"{LETTERS[of.kind]}{'w' if of.writable else 'r'}i-{state}{opened}----",
            "data_percent": data if of.active else "",
            "metadata_percent": f"{self.percent[1]:.2f}" if pool and of.active else "",
            "lv_health_status": of.health,
        }

    # -- programs

    def _find(self, path: str) -> tuple[Group, str, Logical]:
        group, _, name = path.partition("/")
        if name not in self.groups[group].logical:
            raise failed(f'Failed to find logical volume "{path}"')
        return self.groups[group], name, self.groups[group].logical[name]

    def _lvcreate(self, options: dict[str, list[str]], words: list[str]) -> None:
        group, _, origin = words[0].partition("/")
        (name,), tags, into = options["--name"], set(options.get("--addtag", [])), self.groups[group]
        if name in into.logical:
            raise failed(f'Logical Volume "{name}" already exists in volume group "{group}"')
        if "--snapshot" in options:  # as it is where the module is not loaded, and may not be
            raise failed("snapshot: Required device-mapper target(s) not detected in your kernel.")
        if origin:
            assert options["--type"] == ["thin"]
            of = into.logical[origin]
            assert options["--setactivationskip"] == ["n"]
            made = self.put(group, name, of.size, tags, "thin", of.pool)
            made.origin, made.writable = origin, options["--permission"] == ["rw"]
            _copy(self.path(group, origin), self.path(group, name))
            return
        kind = options["--type"][0]
        size = _bytes(options.get("--virtualsize", options.get("--size", [""]))[0])
        metadata = _bytes(options["--poolmetadatasize"][0]) if kind == "thin-pool" else 0
        if kind != "thin" and size + 2 * metadata > into.free:
            raise failed(f'Volume group "{group}" has insufficient free space (1 extents): 2 required.')
        made = self.put(group, name, size, tags, kind, options.get("--thinpool", [""])[0])
        made.metadata, made.chunk = metadata, _bytes(options.get("--chunksize", ["0b"])[0])

    def _lvextend(self, options: dict[str, list[str]], words: list[str]) -> None:
        group, name, of = self._find(words[0])
        more = options.get("--poolmetadatasize", [""])[0]
        if more:
            of.metadata += _bytes(more.removeprefix("+"))
            return
        text = options["--size"][0]
        size = of.size + _bytes(text[1:]) if text.startswith("+") else _bytes(text)
        if size <= of.size:
            raise failed("New size given not larger than existing size")
        if of.kind != "thin" and size - of.size > group.free:
            raise failed("Insufficient free space: 2 extents needed, but only 1 available")
        path = self.path(words[0].partition("/")[0], name)
        with path.open("r+b") as file:
            file.truncate(size)
        if of.kind == "linear":
            self._soil(path, of.size, size)
        of.size = size

    def _lvrename(self, options: dict[str, list[str]], words: list[str]) -> None:
        group, old, new = words
        logical = self.groups[group].logical
        if new in logical:
            raise failed(f'Logical volume "{new}" already exists in volume group "{group}"')
        self._find(f"{group}/{old}")
        logical[new] = logical.pop(old)
        self.path(group, old).rename(self.path(group, new))

    def _lvchange(self, options: dict[str, list[str]], words: list[str]) -> None:
        for path in words:
            if path.endswith("_tmeta"):  # a part of the thin pool, which can be read while that is not active
                assert not self._find(path.removesuffix("_tmeta"))[2].active
                continue
            _, _, of = self._find(path)
            of.tags -= set(options.get("--deltag", []))
            of.tags |= set(options.get("--addtag", []))
            if "--permission" in options:
                of.writable = options["--permission"] == ["rw"]
            if "--activate" in options:
                of.active = options["--activate"] == ["y"]
            if "--refresh" in options:
                of.suspended = False

    def _lvremove(self, options: dict[str, list[str]], words: list[str]) -> None:
        group, name, _ = self._find(words[0])
        if words[0] in self.open:
            raise failed(f"Logical volume {words[0]} in use.")
        del group.logical[name]
        self.path(words[0].partition("/")[0], name).unlink()

    def _lvconvert(self, options: dict[str, list[str]], words: list[str]) -> None:
        assert "--repair" in options
        group, name, of = self._find(words[0])
        assert not any(each.active for each in group.logical.values() if each.pool == name)
        of.health = ""
        self.put(words[0].partition("/")[0], f"{name}_meta0", of.metadata, set())

    def _vgcreate(self, options: dict[str, list[str]], words: list[str]) -> None:
        assert words[0] not in self.groups
        self.groups[words[0]] = Group(words[1:])

    def _vgextend(self, options: dict[str, list[str]], words: list[str]) -> None:
        self.groups[words[0]].devices += words[1:]

    def _vgchange(self, options: dict[str, list[str]], words: list[str]) -> None:
        self.groups[words[0]].tags |= set(options["--addtag"])

    def _vgremove(self, options: dict[str, list[str]], words: list[str]) -> None:
        del self.groups[words[0]]

    def _pvremove(self, options: dict[str, list[str]], words: list[str]) -> None:
        assert not any(words[0] in each.devices for each in self.groups.values())

    def _lvm(self, options: dict[str, list[str]], words: list[str]) -> None:
        assert words[0] == "lvmdevices"

    def _vgcfgbackup(self, options: dict[str, list[str]], words: list[str]) -> None:
        Path(options["--file"][0]).write_text(f"notes of {words[0]}")


FLAGS = {"--yes", "--snapshot", "--repair", "--refresh"}


def _parsed(argv: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    options: dict[str, list[str]] = {}
    words: list[str] = []
    rest = iter(argv)
    for each in rest:
        if each in FLAGS:
            options[each] = []
        elif each.startswith("--"):
            options.setdefault(each, []).append(next(rest))
        else:
            words.append(each)
    return options, words


def _bytes(text: str) -> int:
    assert text.endswith("b"), text
    return int(text[:-1])


def _copy(origin: Path, to: Path) -> None:
    with origin.open("rb") as given, to.open("r+b") as file:
        for number in itertools.count():
            if not (data := given.read(1 << 20)):
                break
            if data.strip(b"\0"):
                file.seek(number << 20)
                file.write(data)
