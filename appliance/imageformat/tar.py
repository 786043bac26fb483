"""A root file system in a tar archive (POSIX.1-2017 pax, ustar; GNU): read once from end to end, never unpacked. Pure.

Whoever unpacks it later does so as root. Names that would lead out of the directory are refused here already.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from appliance.errors import Invalid
from appliance.imageformat import os_release
from appliance.imageformat.found import Found, unreadable
from appliance.imageformat.unpacking import Limited

BLOCK = 512
FS_BLOCK = 4096
"""Bytes of a block of a file system."""
_DIRENT = 12
"""Bytes of an entry of a directory, beside its name, rounded up."""
_IN_INODE = 60
"""Bytes of a link's target from which on it needs a block."""
_EXTENT = 16 << 20
"""Bytes of a file for which one more block notes where they are, generously."""
MOST_ENTRIES, MOST_LINKS = 4_000_000, 400_000
LONGEST_WORDS = 1 << 20
"""Bytes of one extended header, or long name."""
LONGEST_NAME = 4096
_ROOT = frozenset({"usr", "etc", "bin", "sbin"})
"""What a root file system has at least one of."""
_FILES, _LINK, _SYMLINK, _DIRECTORY, _FIFO = frozenset("0\x007S"), "1", "2", "5", "6"
_DEVICES = frozenset("34")
_WORDS = frozenset("xgLK")
_OS_RELEASES = ("usr/lib/os-release", "etc/os-release")
_BLOCK_OF_ZEROS = bytes(BLOCK)


@dataclass(slots=True)
class _Entry:
    name: str
    kind: str
    size: int
    """Bytes behind the header."""
    target: str
    sparse: bool
    """Whether more of its header follows (GNU, format 0)."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an archive needs of a file system that it is unpacked into."""

    inodes: int
    blocks: int
    """Of ``FS_BLOCK`` bytes, those of directories among them."""
    length: int
    """Bytes of the archive up to its end mark."""


@dataclass(slots=True)
class _Known:
    """What was seen so far."""

    size: int = 0
    entries: int = 0
    links: set[bytes] = field(default_factory=set)
    """Digests of the names of symbolic links."""
    tops: set[str] = field(default_factory=set)
    distribution: str = ""
    architecture: str = ""
    inodes: int = 0
    blocks: int = 0
    """Of file contents and of what does not fit into an inode."""
    names: int = 0
    """Bytes of directory entries."""
    beside: bool = False
    """Whether extended attributes were said of the entry that comes next."""


def found_in(stream: Limited) -> Found:
    """What is in an archive; raises Invalid for one that cannot be read, or that is no root file system."""
    known = _walked(stream)
    return Found("tar", known.size, architecture=known.architecture, distribution=known.distribution)


def needs_of(stream: Limited) -> Needs:
    """What its content takes; raises as ``found_in``. A name that comes twice counts twice."""
    known = _walked(stream)
    of_names = -(-known.names * 2 // FS_BLOCK)  # blocks of directories are rarely full
    return Needs(known.inodes, known.blocks + of_names, stream.at)


def _walked(stream: Limited) -> _Known:
    known = _Known()
    for entry, words in _entries(stream, known):
        _count(entry, words, known)
        _take(stream, entry, known)
    if not known.tops & _ROOT:
        text = "this archive holds no root file system: it has none of usr, etc, bin and sbin at its top"
        raise unreadable(text, "pack it from inside: tar -C ROOT --numeric-owner -c .")
    return known


class Member:
    """A file in an archive, to be read before the next one is asked for; or a symbolic link."""

    def __init__(self, path: str, size: int, target: str, stream: Limited) -> None:
        self.path = path
        """Within the archive, without ``./``."""
        self.size = size
        """Bytes."""
        self.target = target
        """Where a link leads; empty for a file."""
        self._stream, self.left = stream, size

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at its end. Raises Invalid where the archive ends before."""
        octets = self._stream.read(min(count, self.left)) if self.left else b""
        if self.left and count and not octets:
            raise unreadable("the archive ends too early")
        self.left -= len(octets)
        return octets


def members(stream: Limited) -> Iterator[Member]:
    """Its files and symbolic links, one after the other; sparse files and hard links are left out.

    Raises Invalid as ``found_in`` does, but for what is no root file system.
    """
    known = _Known()
    for entry, words in _entries(stream, known):
        path = _checked(entry, known)
        if entry.kind == _SYMLINK:
            yield Member(path, 0, entry.target, stream)
        plain = not entry.sparse and entry.kind != "S" and not any(key.startswith("GNU.sparse.") for key in words)
        _skip_sparse(stream, entry)
        if entry.kind in _FILES:
            member = Member(path, entry.size, "", stream)
            if plain:
                yield member
            stream.skip(member.left)
            _pad(stream, entry.size)


def _entries(stream: Limited, known: _Known) -> Iterator[tuple[_Entry, dict[str, str]]]:
    """Each entry as the headers before it say, and what they said; behind each, its content has to be read."""
    words = dict[str, str]()
    while (entry := _entry(stream)) is not None:
        known.entries += 1
        if known.entries > MOST_ENTRIES:
            raise unreadable(f"it has more than {MOST_ENTRIES} entries")
        if entry.kind in _WORDS:
            words = words | _said(stream, entry) if entry.kind != "g" else _passed(stream, entry, words)
            continue
        yield _with(entry, words), words
        words = {}


def _entry(stream: Limited) -> _Entry | None:
    """The next header; None at the end."""
    head = stream.exactly(BLOCK)
    if head == _BLOCK_OF_ZEROS:
        return None
    claimed = _number(head[148:156])
    if sum(head[:148]) + sum(head[156:]) + 8 * 32 != claimed:
        raise unreadable("a header of the archive is damaged")
    kind, name = chr(head[156]), _text(head[0:100])
    if head[257:263] == b"ustar\0" and (prefix := _text(head[345:500])):
        name = f"{prefix}/{name}"
    return _Entry(name, kind, _number(head[124:136]), _text(head[157:257]), kind == "S" and bool(head[482]))


def _number(field_: bytes) -> int:
    if field_[0] & 0x80:  # GNU: binary, for what octal digits cannot hold
        value = int.from_bytes(field_, "big") & ((1 << (8 * len(field_) - 1)) - 1)
        if field_[0] & 0x40 or value > 1 << 60:
            raise unreadable("a header of the archive holds a size that cannot be")
        return value
    digits = field_.strip(b" \0")
    if not digits:
        return 0
    if any(digit not in b"01234567" for digit in digits):
        raise unreadable("a header of the archive is damaged")
    return int(digits, 8)


def _text(octets: bytes) -> str:
    return octets.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _said(stream: Limited, entry: _Entry) -> dict[str, str]:
    """What an extended header says of the entry behind it."""
    if entry.size > LONGEST_WORDS:
        raise unreadable(f"a header of the archive has {entry.size} bytes")
    content = stream.exactly(entry.size)
    _pad(stream, entry.size)
    if entry.kind in "LK":
        return {"path" if entry.kind == "L" else "linkpath": _text(content)}
    return _records(content)


def _passed(stream: Limited, entry: _Entry, words: dict[str, str]) -> dict[str, str]:
    """What is said of all entries that follow tells nothing of one."""
    _said(stream, entry)
    return words


def _records(content: bytes) -> dict[str, str]:
    """``LENGTH KEY=VALUE`` and a line feed, one behind the other (POSIX.1-2017, pax Extended Header)."""
    found: dict[str, str] = {}
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        digits = content[at:space] if space > 0 else b""
        end = at + int(digits) if digits.isdigit() else 0
        if not space < end <= len(content):
            raise unreadable("an extended header of the archive is damaged")
        key, _, value = content[space + 1 : end - 1].partition(b"=")
        found[key.decode(errors="replace")] = value.decode("utf-8", "surrogateescape")
        at = end
    return found


def _with(entry: _Entry, words: dict[str, str]) -> _Entry:
    """The entry, as the headers before it say."""
    size = words.get("size")
    if size is not None and not (size.isascii() and size.isdigit() and len(size) < 19):
        raise unreadable("an extended header of the archive is damaged")
    name = words.get("GNU.sparse.name") or words.get("path") or entry.name
    target = words.get("linkpath") or entry.target
    return _Entry(name, entry.kind, int(size) if size is not None else entry.size, target, entry.sparse)


def _take(stream: Limited, entry: _Entry, known: _Known) -> None:
    path = _checked(entry, known)
    _skip_sparse(stream, entry)
    if entry.kind not in _FILES:
        # What an entry of another kind says of its size is no content (POSIX.1-2017 pax, ustar: size).
        return
    content = stream.exactly(min(entry.size, _wanted(path, known)))
    _look_at(path, content, known)
    stream.skip(entry.size - len(content))
    _pad(stream, entry.size)
    known.size += entry.size


def _skip_sparse(stream: Limited, entry: _Entry) -> None:
    while entry.sparse:
        entry.sparse = bool(stream.exactly(BLOCK)[504])


def _count(entry: _Entry, words: dict[str, str], known: _Known) -> None:
    """What it takes of a file system (Linux, Documentation/filesystems/ext4)."""
    known.names += _DIRENT + len(entry.name.rpartition("/")[2])
    if entry.kind == _LINK:
        return
    known.inodes += 1
    known.blocks += any(".xattr." in key for key in words)
    if entry.kind in _FILES:
        size = words.get("GNU.sparse.realsize") or words.get("GNU.sparse.size") or str(entry.size)
        content = min(int(size), entry.size) if size.isascii() and size.isdigit() and len(size) < 19 else entry.size
        known.blocks += -(-content // FS_BLOCK) + content // _EXTENT
    elif entry.kind == _DIRECTORY or (entry.kind == _SYMLINK and len(entry.target) >= _IN_INODE):
        known.blocks += 1


def _pad(stream: Limited, size: int) -> None:
    stream.skip(-size % BLOCK)


def _checked(entry: _Entry, known: _Known) -> str:
    """The name within the archive; raises Invalid for one that leads elsewhere, and for what nobody should unpack."""
    path = _within(entry.name, entry.name)
    parts = path.split("/") if path else []
    if any(_digest("/".join(parts[:count])) in known.links for count in range(1, len(parts))):
        raise _outside(entry.name, "leads through a symbolic link")
    if entry.kind == _LINK:
        target = _within(entry.target, entry.name).split("/")
        if any(_digest("/".join(target[:count])) in known.links for count in range(1, len(target))):
            raise _outside(entry.name, "is a hard link that leads through a symbolic link")
    elif entry.kind == _SYMLINK:
        known.links.add(_digest(path))
        if len(known.links) > MOST_LINKS:
            raise unreadable(f"it has more than {MOST_LINKS} symbolic links")
    elif entry.kind in _DEVICES:
        if parts[:1] != ["dev"]:
            raise _outside(entry.name, "is a device, and not in dev")
    elif entry.kind not in _FILES | {_DIRECTORY, _FIFO}:
        raise unreadable(f"{_shown(entry.name)} is of a kind that is not known ({entry.kind!r})")
    if path:
        known.tops.add(parts[0])
    return path


def _within(name: str, entry: str) -> str:
    if len(name) > LONGEST_NAME or "\0" in name:
        raise _outside(entry, "has a name that no file can have")
    if name.startswith("/"):
        raise _outside(entry, "begins at the root of whoever unpacks it")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _outside(entry, "leads out of the archive")
    return "/".join(parts)


def _outside(name: str, why: str) -> Invalid:
    hint = "pack it from inside, as one file system: tar -C ROOT --one-file-system --numeric-owner -c ."
    return Invalid("image-escapes", f"{_shown(name)} in the archive {why}", hint, "file")


def _shown(name: str) -> str:
    return repr(name[:80].encode(errors="replace").decode())


def _digest(path: str) -> bytes:
    return blake2b(path.encode("utf-8", "surrogateescape"), digest_size=12).digest()


def _wanted(path: str, known: _Known) -> int:
    """How many bytes of a file tell something that is not known yet."""
    if path in _OS_RELEASES:
        return os_release.LARGEST
    return 0 if known.architecture or not _is_program(path) else os_release.ELF_HEAD


def _is_program(path: str) -> bool:
    return path.removeprefix("usr/").startswith(("bin/", "sbin/", "lib/systemd/"))


def _look_at(path: str, content: bytes, known: _Known) -> None:
    if path in _OS_RELEASES:
        known.distribution = os_release.distribution(content) or known.distribution
    elif content:
        known.architecture = os_release.architecture(content)
