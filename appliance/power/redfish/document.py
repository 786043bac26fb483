"""What a Redfish controller's documents say, and what is to be sent to it. Pure.

Documents come from other people's computers: everything is looked at before it is used, and paths stay on them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from appliance.power_switch import PowerError, PowerState

Document = Mapping[str, Any]

ROOT = "/redfish/v1/"
MOST_MEMBERS = 64
_PATH = re.compile(r"/[!-~]{0,1000}")

ON = ("On", "ForceOn")
OFF = ("ForceOff",)
CYCLE = ("PowerCycle", "ForceRestart")
"""What each order may be called, the best first (DSP0268, ResetType). No graceful ones: the system may not answer."""


def senseless(what: str) -> PowerError:
    """The error for a document that is not what it should be."""
    return PowerError("power-failed", f"the controller's answer makes no sense: {what}", "look at it, or update it")


def path_of(value: object) -> str:
    """A path on the controller, from a link's value; raises PowerError for anything that leads elsewhere."""
    if isinstance(value, str) and _PATH.fullmatch(value):
        return value
    raise senseless("a link that leads nowhere")


def own_path(location: str) -> str:
    """The path of a ``Location``, which may be a whole address: whosever it is, the path is the controller's."""
    split = urlsplit(location)
    return path_of(split.path + (f"?{split.query}" if split.query else ""))


def link(document: Document, name: str) -> str:
    """Where the link of that name leads; raises PowerError where there is none."""
    return path_of(section(document, name).get("@odata.id"))


def section(document: Document, name: str) -> Document:
    """An object in a document, empty where there is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def members(collection: Document) -> list[str]:
    """The paths of a collection's members (DSP0266, section 9.5.3)."""
    listed = collection.get("Members")
    if not isinstance(listed, list):
        raise senseless("a collection without members")
    return [link({"member": each}, "member") for each in listed[:MOST_MEMBERS]]


def named_by_path(paths: list[str], system: str) -> str | None:
    """The member whose path ends with its Id, as nearly all do; the only one where no Id is asked for."""
    if not system:
        return paths[0] if len(paths) == 1 else None
    return next((path for path in paths if path.rstrip("/").rpartition("/")[2] == system), None)


def is_called(document: Document, system: str) -> bool:
    """Whether a system is the one that is meant, by any of its names."""
    return any(
        isinstance(said, str) and said.lower() == system.lower()
        for said in map(document.get, ("Id", "Name", "UUID", "HostName"))
    )


def which(count: int, system: str) -> PowerError:
    """The error for a system that cannot be told from others."""
    if system:
        text = f"the controller has no system {system!r}"
        return PowerError("power-failed", text, "use its Id as the controller shows it", "system")
    text = f"the controller has {count} systems"
    return PowerError("power-failed", text, "say which one, by its Id" if count else "look at the controller", "system")


def power_state(system: Document) -> PowerState:
    """DSP0268, PowerState: what is powering on or off, or paused, has power."""
    said = system.get("PowerState")
    if said == "Off":
        return PowerState.OFF
    return PowerState.ON if said in ("On", "PoweringOn", "PoweringOff", "Paused") else PowerState.UNKNOWN


def reset_action(system: Document) -> Document:
    """The action that switches; raises PowerError where the system has none."""
    action = section(section(system, "Actions"), "#ComputerSystem.Reset")
    if not action:
        raise PowerError("power-unsupported", "the controller cannot switch this system", "update the controller")
    return action


def allowed(action: Document) -> tuple[str, ...] | None:
    """The reset types that the action itself lists; None where it does not."""
    return _words(action.get("ResetType@Redfish.AllowableValues"))


def allowed_by_info(info: Document) -> tuple[str, ...] | None:
    """The reset types of an ``ActionInfo`` document, to which newer controllers point instead."""
    parameters = info.get("Parameters")
    for each in parameters if isinstance(parameters, list) else ():
        if isinstance(each, dict) and each.get("Name") == "ResetType":
            return _words(each.get("AllowableValues"))
    return None


def reset_type(wanted: tuple[str, ...], possible: tuple[str, ...] | None) -> str | None:
    """The best that is possible; the best of all where the controller does not say what is, or says that nothing is."""
    if not possible:
        return wanted[0]
    return next((each for each in wanted if each in possible), None)


def boot_changes(system: Document, uefi: bool) -> Iterator[Document]:
    """What to send so that the next start is from the network, the best first.

    Some controllers do not let the mode be set: it is left out where it is as wanted, and where it is not known.
    """
    boot = section(system, "Boot")
    targets = _words(boot.get("BootSourceOverrideTarget@Redfish.AllowableValues"))
    target = reset_type(("Pxe", "UefiHttp") if uefi else ("Pxe",), targets)
    if not target:
        text = "the controller cannot make this system boot from the network"
        raise PowerError("power-unsupported", text, "put the network first in its firmware's boot order")
    change = {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": target}
    mode, present = "UEFI" if uefi else "Legacy", boot.get("BootSourceOverrideMode")
    if present is not None:
        yield {"Boot": {**change, "BootSourceOverrideMode": mode}}
    if present in (None, mode):
        yield {"Boot": change}


def settings_path(system: Document) -> str | None:
    """Where changes go on controllers that keep a document of its own for them (DSP0266, section 9.10)."""
    found = section(section(system, "@Redfish.Settings"), "SettingsObject")
    return path_of(found.get("@odata.id")) if found else None


def complaint(document: Document) -> str:
    """What a controller says of its refusal (DSP0266, section 8.6), as it says it: not fit to show."""
    error = section(document, "error")
    listed = error.get("@Message.ExtendedInfo")
    entries = listed if isinstance(listed, list) else [listed]
    texts = [each.get("Message") for each in entries if isinstance(each, dict)]
    said = [text for text in [*texts, error.get("message")] if isinstance(text, str) and text]
    return said[0] if said else ""


def task_failed(task: Document) -> bool | None:
    """Whether a task ended badly; None while it goes on, and for what is no task (it ended well, then)."""
    state = task.get("TaskState")
    if state in ("Exception", "Killed", "Cancelled", "Interrupted"):
        return True
    return None if state in ("New", "Starting", "Running", "Pending", "Stopping", "Service", "Suspended") else False


def _words(value: object) -> tuple[str, ...] | None:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else None
