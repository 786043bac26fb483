"""Access lists of files as the kernel keeps them (acl(5), linux/posix_acl_xattr.h): one more user. Pure."""

import struct

ATTRIBUTE = "system.posix_acl_access"
READ, SEARCH = 4, 1
"""Of a file its content; of a directory its names, where these are known already."""
_VERSION = 2
_OWNER, _USER, _GROUP, _NAMED_GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_HEAD, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_Entries = dict[tuple[int, int], int]
"""Kind and number -> what is allowed."""


def let_in(found: bytes | None, mode: int, uid: int, rights: int) -> bytes:
    """The list of a file with ``mode``, or what was ``found`` on it, by which the user ``uid`` has these rights too.

    Nobody else gets any that they had not: a mask that hid rights of others keeps hiding them.
    """
    entries = _read(found) if found is not None else {}
    if not entries:
        kinds = ((_OWNER, mode >> 6), (_GROUP, mode >> 3), (_OTHER, mode))
        entries = {(kind, _NOBODY): allowed & 7 for kind, allowed in kinds}
    mask = entries.pop((_MASK, _NOBODY), 7)
    masked = {
        key: allowed & mask if key[0] in (_USER, _GROUP, _NAMED_GROUP) else allowed for key, allowed in entries.items()
    }
    masked[_USER, uid] = rights
    shown = [allowed for (kind, _), allowed in masked.items() if kind in (_USER, _GROUP, _NAMED_GROUP)]
    masked[_MASK, _NOBODY] = 0
    for allowed in shown:
        masked[_MASK, _NOBODY] |= allowed
    return _HEAD.pack(_VERSION) + b"".join(_ENTRY.pack(kind, masked[kind, who], who) for kind, who in sorted(masked))


def _read(found: bytes) -> _Entries:
    """Nothing for what is no list of this version."""
    if len(found) < _HEAD.size or _HEAD.unpack_from(found)[0] != _VERSION or (len(found) - _HEAD.size) % _ENTRY.size:
        return {}
    return {(kind, who): allowed & 7 for kind, allowed, who in _ENTRY.iter_unpack(found[_HEAD.size :])}
