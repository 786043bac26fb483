"""What a step is told of an exported root.

Whatever passes here can be a word of mount, of iscsiadm and of their files: no blanks, no quotes, no line ends.
"""

import re

from ..errors import StepFailed
from ..job import Params
from .given import ExportedRoot, IscsiRoot, NfsRoot

OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
ADDRESS = rf"{OCTET}(?:\.{OCTET}){{3}}"
NAME = r"(?:iqn|eui|naa)\.[0-9a-z.:-]{1,219}"
"""As RFC 3720, 3.2.6 has it, normalised."""
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def exported_root(root: Params) -> ExportedRoot:
    """The root that `root` names. Raises StepFailed `bad-params`, never with the secret in it."""
    delivery = root.text("delivery")
    if delivery == "nfs":
        nfs = root.inner("nfs")
        return NfsRoot(_of(nfs, "server", ADDRESS), _of(nfs, "path", "/[0-9A-Za-z._/-]{0,500}"))
    if delivery == "iscsi":
        return _iscsi(root.inner("iscsi"))
    raise StepFailed("bad-params", f"root.delivery {delivery!r} is unknown to this agent")


def _iscsi(iscsi: Params) -> IscsiRoot:
    return IscsiRoot(
        portal=_of(iscsi, "portal", f"{ADDRESS}:[0-9]{{1,5}}"),
        target=_of(iscsi, "target", NAME),
        initiator=_of(iscsi, "initiator", NAME),
        user=_of(iscsi, "user", "[0-9A-Za-z][0-9A-Za-z._:-]{0,62}"),
        secret=_of(iscsi, "secret", "[0-9A-Za-z._:+~-]{12,16}"),
        uuid=_of(iscsi, "root", f"(?i:UUID={UUID})").partition("=")[2].lower(),
    )


def _of(values: Params, key: str, pattern: str) -> str:
    value = values.text(key)
    if not re.fullmatch(pattern, value):
        raise StepFailed("bad-params", f"{values.where}{key} is not what it must be")
    return value
