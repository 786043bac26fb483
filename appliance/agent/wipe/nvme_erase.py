"""Having an NVMe disk erase itself: sanitize, which goes on by itself, and format, which is waited for."""

from ..errors import StepFailed
from . import nvme
from .drive import Drive
from .methods import Method, NvmeFacts
from .minder import Minder
from .passthrough import Refused

POLL = 5.0
"""Seconds between two looks at a sanitize."""
STALLED = 6 * 3600.0
"""Seconds in which a sanitize gets no further that make it a dead one; some disks jump from nothing to all in hours."""
FORMAT_SECONDS = 24 * 3600.0
"""For one format; the disks that take longest overwrite themselves with a spinning plate's speed."""
ACTIONS = {
    Method.NVME_SANITIZE_BLOCK: nvme.SanitizeAction.BLOCK_ERASE,
    Method.NVME_SANITIZE_CRYPTO: nvme.SanitizeAction.CRYPTO_ERASE,
}
ERASES = {
    Method.NVME_FORMAT_ERASE: nvme.FormatErase.USER_DATA,
    Method.NVME_FORMAT_CRYPTO: nvme.FormatErase.CRYPTO,
}


def read_facts(drive: Drive) -> NvmeFacts:
    """What the disk can. Raises Refused, ValueError, OSError."""
    controller = nvme.decode_controller(drive.nvme(nvme.identify_controller()))
    nsid = drive.nsid()
    namespaces = set(nvme.decode_list(drive.nvme(nvme.list_namespaces(allocated=False)))) | {nsid}
    if controller.manages_namespaces:  # those that are there, and attached to nobody or to somebody else
        namespaces |= set(nvme.decode_list(drive.nvme(nvme.list_namespaces(allocated=True))))
    namespace = nvme.decode_namespace(drive.nvme(nvme.identify_namespace(nsid)))
    return NvmeFacts(controller, namespace, nsid, len(namespaces))


def erase(drive: Drive, method: Method, facts: NvmeFacts, minder: Minder) -> None:
    """Erase by one of the methods above. Raises Refused, StepFailed, Abandoned, OSError."""
    if method in ACTIONS:
        drive.nvme(nvme.sanitize(ACTIONS[method]))
        try:
            _follow(drive, minder, method)
        except Refused:
            _leave_failure(drive)  # until then it reads and writes nothing
            raise
    else:
        command = nvme.format_nvm(facts.nsid, facts.namespace, ERASES[method], FORMAT_SECONDS)
        minder.mind(lambda: drive.nvme(command), None, "the disk formats itself")


def mend(drive: Drive, minder: Minder) -> bool:
    """Bring a disk back whose sanitize was broken off: nothing else can be done with it before.

    One that goes on is waited for; one that failed is left. Returns whether there was one: somebody has begun to
    wipe the disk. Raises StepFailed, Abandoned, OSError.
    """
    state = _state(drive)
    if state is None or state.state not in (nvme.SanitizeState.GOES_ON, nvme.SanitizeState.FAILED):
        return False
    try:
        _follow(drive, minder, None)
    except Refused:
        _leave_failure(drive)
    return True


def _leave_failure(drive: Drive) -> None:
    """Have a disk whose sanitize failed work again. Raises StepFailed `disk-stuck`, OSError."""
    try:
        drive.nvme(nvme.sanitize(nvme.SanitizeAction.EXIT_FAILURE))
    except Refused as error:
        why = f"disk {drive.disk} failed in the middle of a sanitize and cannot be brought back: {error}"
        raise StepFailed("disk-stuck", why) from error


def _state(drive: Drive) -> nvme.Sanitize | None:
    """How its sanitize stands; None for a disk that has none."""
    try:
        return nvme.decode_sanitize(drive.nvme(nvme.sanitize_log()))
    except (Refused, ValueError):
        return None


def _follow(drive: Drive, minder: Minder, method: Method | None) -> None:
    """Wait for the end of a sanitize, as long as it gets on. Raises Refused where it failed, StepFailed."""
    furthest, moved = -1.0, minder.clock()
    while True:
        state = nvme.decode_sanitize(drive.nvme(nvme.sanitize_log()))
        now = minder.clock()
        if state.state is nvme.SanitizeState.FAILED:
            raise Refused("its sanitize failed")
        if state.state is not nvme.SanitizeState.GOES_ON:
            return
        if state.fraction > furthest:
            furthest, moved = state.fraction, now
        if now - moved > max(STALLED, 2 * (_estimate(state, method) or 0)):
            hours = (now - moved) / 3600
            why = (
                f"disk {drive.disk} has been sanitizing itself for {hours:.0f} hours at {furthest:.0%} without progress"
            )
            raise StepFailed("disk-stuck", why)
        minder.tell(state.fraction, f"the disk sanitizes itself, {state.fraction:.0%}")
        minder.pause(POLL)


def _estimate(state: nvme.Sanitize, method: Method | None) -> int | None:
    return state.crypto_seconds if method is Method.NVME_SANITIZE_CRYPTO else state.block_seconds
