"""One action on many machines or deployments, for programs."""

from typing import Any, Literal

import msgspec
from aiohttp import web

from appliance.decoding import converted
from appliance.errors import Invalid
from appliance.reconcile.bulk import DEPLOYMENTS, MACHINES, BulkAsked, Noun, begin
from appliance.reconcile.bulk_actions import Arguments
from appliance.store.listing import Filter
from appliance.web.api import tasks
from appliance.web.api.body import body
from appliance.web.api.query import MOST_VALUES, hint_of
from appliance.web.keys import SERVICES, USER

MachineBulkAction = Literal[
    "maintenance-on", "maintenance-off", "break", "mend", "tag", "untag", "hand-over", "rescue", "end-rescue",
    "admit", "power-on", "power-off", "power-cycle", "power-network-once", "delete",
]  # fmt: skip
DeploymentBulkAction = Literal["start", "stop", "retry", "release", "delete"]


class _In(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What programs send."""


class MachinesBulkIn(_In):
    """An action on the machines that are named, or on all that match a filter."""

    action: MachineBulkAction
    machines: list[str] | None = None
    """Ids or names."""
    filter: dict[str, Any] | None = None
    """As ``GET /machines`` takes it: name and value of each; what takes several values takes a list."""
    tags: list[str] = []
    """For ``tag`` and ``untag``."""
    hand_over: str | None = None
    """For ``hand-over``: kexec or reboot."""
    ssh_keys: list[str] = []
    """For ``rescue``."""
    confirm: str | None = None
    """For ``delete`` and what cuts power off: how many machines, such as ``3 machines``."""


class DeploymentsBulkIn(_In):
    """An action on the deployments that are named, or on all that match a filter."""

    action: DeploymentBulkAction
    deployments: list[str] | None = None
    """Ids or names."""
    filter: dict[str, Any] | None = None
    """As ``GET /deployments`` takes it."""
    confirm: str | None = None
    """For ``release`` and ``delete``: how many deployments, such as ``3 deployments``."""


async def machines(request: web.Request) -> web.Response:
    """Do something to many machines; the answer is the task that does it."""
    given = await body(request, MachinesBulkIn)
    arguments = Arguments(tuple(given.tags), given.hand_over, tuple(given.ssh_keys))
    return await _begun(request, MACHINES, given.machines, given, arguments)


async def deployments(request: web.Request) -> web.Response:
    """Do something to many deployments; the answer is the task that does it."""
    given = await body(request, DeploymentsBulkIn)
    return await _begun(request, DEPLOYMENTS, given.deployments, given, Arguments())


async def _begun(
    request: web.Request,
    noun: Noun,
    keys: list[str] | None,
    given: MachinesBulkIn | DeploymentsBulkIn,
    arguments: Arguments,
) -> web.Response:
    services = request.app[SERVICES]
    filters = None if given.filter is None else checked(noun, given.filter)
    asked = BulkAsked(given.action, None if keys is None else tuple(keys), filters, given.confirm, arguments)
    task = await begin(services.store, services.bus, noun, asked, request[USER], services.clock())
    return await tasks.shown(request, str(task.id))


def checked(noun: Noun, given: dict[str, Any]) -> dict[str, Any]:
    """The filter, each value of the type that the noun's list has it in; raises Invalid."""
    known = noun.listing.filters
    for name in given:
        if name not in known:
            hint = f"use {', '.join(known)}"
            raise Invalid("filter-unknown", f"{noun.plural} are not filtered by {name[:40]!r}", hint, "filter")
    return {name: _value(name, known[name], value) for name, value in given.items()}


def _value(name: str, of: Filter, value: Any) -> Any:
    single = msgspec.json.schema(of.kind).get("type") == "array" and not isinstance(value, list)
    where = f"filter.{name}"
    if isinstance(value, list) and len(value) > MOST_VALUES:
        raise Invalid("filter-invalid", f"{where} has {len(value)} values", f"{MOST_VALUES} at most", where)
    try:
        return msgspec.to_builtins(converted([value] if single else value, of.kind))
    except msgspec.ValidationError as error:
        raise Invalid("filter-invalid", f"{where}: {str(error)[:200]}", hint_of(of.kind), where) from None
