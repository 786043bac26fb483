"""From power-on to the last step: one boot of the maintenance stack."""

import argparse
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from .commandline import Boot, parse
from .control import Control, Refused
from .errors import WORK, AgentError, Leaving
from .hardware import Hardware, ThisComputer
from .inventory.collect import collect
from .pauses import growing
from .plainhttp import Unreachable
from .poll import wait_for_work
from .recorded import RecordedComputer
from .screen import Screen
from .session import Identity, Session, open_session
from .trust import establish
from .wipe.unlocking import unlock_ours
from .work import Worker

REFUSALS = 3
"""Times that a session may be refused before the machine restarts to get a new one."""


def main(arguments: Sequence[str]) -> int:
    """Run until the machine leaves the maintenance stack; returns the exit code."""
    options = argparse.ArgumentParser(prog="agent", description=__doc__)
    options.add_argument("--test-platform", metavar="DIR", type=Path, help="see recorded.py")
    directory = options.parse_args(arguments).test_platform
    hardware: Hardware = RecordedComputer(directory) if directory else ThisComputer()
    screen = Screen(hardware.consoles())
    try:
        run_for_ever(hardware, screen)
    except Leaving:
        screen.show(state="leaving the maintenance stack", doing="")
    return 0


def run_for_ever(hardware: Hardware, screen: Screen) -> None:
    """Live, and start again after whatever went wrong. Raises Leaving."""
    pauses, refusals = growing(first=5.0), 0
    while True:
        try:
            live(hardware, screen)
        except Refused as error:
            refusals += error.session_is_over
            _show_refusal(screen, error, refusals)
            if refusals >= REFUSALS:
                hardware.reboot()
        except AgentError as error:
            screen.trouble(error)
        hardware.pause(next(pauses))


def _show_refusal(screen: Screen, error: Refused, refusals: int) -> None:
    screen.trouble(error)
    if error.session_is_over:
        left = REFUSALS - refusals
        screen.show(todo=f"{error.todo or 'it needs a fresh boot'}; restarting after {left} more tries")


def live(hardware: Hardware, screen: Screen) -> None:
    """Get to know the appliance, say what this machine is, then work. Raises AgentError, Leaving."""
    boot = parse(hardware.command_line())
    screen.show(server=boot.server, mac=boot.mac or "", state="starting", doing=f"network, card {boot.mac or 'any'}")
    link = hardware.connect(boot.mac, screen)
    screen.show(address=f"{link.address}, card {link.mac}", mac=link.mac, doing="asking the appliance who it is")
    context, _ = establish(boot, hardware.set_clock)
    control = Control(boot.control, context, hardware.pause, screen.trouble)
    screen.show(doing="saying who this machine is")
    session = open_session(hardware.run_directory, boot, _identity(hardware, link.mac), control)
    screen.show(name=session.name, doing="looking at the hardware")
    unlock_disks(hardware, session)
    send_inventory = partial(_send_inventory, hardware, control, link.mac)
    answer = send_inventory()
    screen.well()
    screen.show(name=str(answer.get("name", session.name)), state=str(answer.get("state", "idle")), doing="")
    send_messages(hardware, control, session)
    send_neighbours(hardware, control, session)
    serve(Worker(hardware, control, screen, send_inventory), boot, session)


def _send_inventory(hardware: Hardware, control: Control, mac: str) -> dict[str, Any]:
    """What this machine is, and what is on its disks; the answer is how it stands."""
    return control.insist("POST", "inventory", collect(hardware, mac)).body


def unlock_disks(hardware: Hardware, session: Session) -> None:
    """Open disks that a wipe of ours left locked, once a boot: what follows reads them."""
    mark = hardware.run_directory / f"unlocked-of-{session.machine}"
    if not mark.exists():
        mark.touch()
        with suppress(AgentError):
            unlock_ours(hardware.disks())


def send_messages(hardware: Hardware, control: Control, session: Session) -> None:
    """What the kernel said while it started, once a boot. They are for people: nothing waits for them."""
    mark = hardware.run_directory / f"messages-of-{session.machine}"
    text = "" if mark.exists() else hardware.kernel_messages()
    if not text:
        return
    with suppress(Unreachable, Refused):
        control.call("POST", "boot-messages", {"text": text})
        mark.touch()


def send_neighbours(hardware: Hardware, control: Control, session: Session) -> None:
    """Listen for switches beside everything else, once a boot, and tell who spoke: nothing waits for that."""
    mark = hardware.run_directory / f"neighbours-of-{session.machine}"
    if mark.exists():
        return
    mark.touch()
    Thread(target=_tell_neighbours, args=(hardware, control), name="neighbours", daemon=True).start()


def _tell_neighbours(hardware: Hardware, control: Control) -> None:
    with suppress(OSError, Unreachable, Refused), closing(replace(control)) as own:
        own.call("POST", "neighbours", {"neighbours": hardware.neighbours()})


def _identity(hardware: Hardware, mac: str) -> Identity:
    uuid, macs = hardware.identity()
    return Identity(mac=mac, macs=macs, uuid=uuid, firmware=hardware.firmware())


def serve(worker: Worker, boot: Boot, session: Session) -> None:
    """Wait for work and do it, without end. Raises Refused, Leaving.

    Two answers "nothing to do" in a row, or twice the same step, mean that something is out of step on the
    other side: that is not asked again without a pause.
    """
    hardware, control, screen = worker.hardware, worker.control, worker.screen
    pauses, last = growing(), None
    while True:
        answer = control.insist("GET", "work")
        now = (answer.body.get("attempt"), answer.body.get("step"))
        if now == last:
            hardware.pause(next(pauses))
        else:
            pauses = growing()
        last = now
        if answer.status == 204 or not answer.body:
            control.close()
            _wait(hardware, screen, boot, session, answer.headers.get("X-Machine-State", "idle"))
        else:
            worker.perform(answer.body)


def _wait(hardware: Hardware, screen: Screen, boot: Boot, session: Session, state: str) -> None:
    all_is_well = partial(screen.well, WORK)
    all_is_well()
    screen.show(state=state, doing="waiting for work")
    wait_for_work(f"{boot.server}/poll/{session.poll}", hardware.pause, screen.trouble, all_is_well)
    screen.well()
