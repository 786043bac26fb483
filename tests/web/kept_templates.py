"""Templates are compiled once for all consoles of this process: it takes longer than most tests of a page."""

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from appliance.web.console import templating


class KeptTemplates(BytecodeCache):
    """In memory; Jinja looks itself whether the template is still the one that was compiled."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if found := self._compiled.get(bucket.key):
            bucket.bytecode_from_string(found)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


def keep_templates() -> None:
    """From now on."""
    templating.COMPILED = KeptTemplates()
