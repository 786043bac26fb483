"""Which definition of a VM somebody has seen, in a few digits: two users who change one hear of each other. Pure."""

import hashlib

import msgspec

from appliance.errors import Conflict
from appliance.vm import Vm


def revision_of(vm: Vm) -> str:
    """The same for the same definition."""
    return hashlib.sha256(msgspec.json.encode(vm)).hexdigest()[:16]


def check_revision(stored: Vm, revision: str) -> None:
    """Raises Conflict ``vm-changed`` unless it is the one that was shown; empty: nobody says what was."""
    if revision and revision != revision_of(stored):
        text = f"somebody else has changed {stored.name} meanwhile"
        raise Conflict("vm-changed", text, "look at it again, then say what is to be changed")
