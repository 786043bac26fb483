"""The configuration file of a backup, and its place on a computer that may keep its state elsewhere."""

import json
import os
import re
from pathlib import Path

from appliance.backup.staging import free_name
from appliance.config import parse
from appliance.errors import ApplianceError
from appliance.on_disk import sync
from appliance.state import write_whole, writing

_KEY = re.compile(r"^[ \t]*state_dir[ \t]*=.*$", re.MULTILINE)
_END = re.compile(r"\Z")
_HEAD = re.compile(r"^[ \t]*\[[ \t]*site[ \t]*\].*$", re.MULTILINE)


def with_state_dir(text: str, state_dir: Path, name: str) -> str:
    """The text with this state directory in it; everything else stays, comments included.

    ``name`` is the file's name for messages. Raises ConfigError for a file that is not right, and ApplianceError
    ``config-state-dir`` where the directory stands in it in a way that we cannot change.
    """
    if parse(text, name).site.state_dir.resolve() == state_dir:
        return text
    line = f"state_dir = {json.dumps(str(state_dir))}"
    places = ((_KEY, line), (_HEAD, f"[site]\n{line}"), (_END, f"\n[site]\n{line}\n"))
    pattern, changed = next(each for each in places if each[0].search(text))
    text = pattern.sub(lambda _: changed, text, count=1)
    if parse(text, name).site.state_dir.resolve() != state_dir:
        hint = "restore without --state-dir, to where the state was"
        raise ApplianceError("config-state-dir", f"state_dir in {name} cannot be changed to {state_dir}", hint)
    return text


def place(path: Path, text: str, now: float) -> Path | None:
    """Write the configuration file; where the one that was there is kept, if there was one that differs.

    Raises ApplianceError ``state-unwritable``.
    """
    content = text.encode()
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_whole(path, content, 0o644)
            path.chmod(0o644)  # whatever the umask took: the daemon's user reads it
            return None
        if path.read_bytes() == content:
            return None
        kept, found = free_name(path, now), path.stat()
        os.link(path, kept)
        sync(path.parent)
        write_whole(path, content, found.st_mode & 0o777)
        path.chmod(found.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(path, found.st_uid, found.st_gid)
        return kept
