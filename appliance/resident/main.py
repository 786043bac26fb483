"""Say that this system is active, then wait for commands; for ever."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import kernel_messages, system
from .client import Client, Refused, Unreachable
from .settings import BadSettings, load

DIRECTORY = Path("/etc/qrm")
SSH = Path("/etc/ssh")
REFUSED_PAUSE = 300.0
"""Seconds before asking again after a refusal: the appliance may have been restored from a backup."""
GOING_DOWN = 600.0
"""Seconds that a shutdown may take before it counts as stuck and the resident starts anew."""
SHUTDOWN_PAUSE = 60.0
"""Seconds before the next try of a shutdown that the system would not begin."""
BREATH = 1.0
"""Seconds between two waits: an appliance that answers at once must not be asked in a tight loop."""


def main(arguments: Sequence[str]) -> int:
    """Run until the system goes down; returns 1 when the settings are of no use."""
    try:
        client = Client(load(Path(arguments[0]) if arguments else DIRECTORY))
    except (BadSettings, OSError) as error:
        say(f"{error}; deploy this system again to repair that")
        return 1
    Resident(client, time.sleep, system.shut_down, SSH).run()
    time.sleep(GOING_DOWN)
    return 0


def say(words: str) -> None:
    """One line to the journal."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def growing() -> Iterator[float]:
    """Seconds before each next try, from 1 to 60."""
    pause = 1.0
    while True:
        yield pause
        pause = min(pause * 2, 60.0)


@dataclass
class Resident:
    """`pause` waits seconds; `shut_down` gets `reboot` or `poweroff` and returns an error or ""."""

    client: Client
    pause: Callable[[float], None]
    shut_down: Callable[[str], str]
    ssh: Path
    messages: Callable[[], str] = kernel_messages.read_messages
    pauses: Iterator[float] = field(default_factory=growing)
    told: bool = False
    """What the kernel said was sent, or refused."""

    def run(self) -> None:
        """Return once a command to go down is on its way.

        Each announcement after an interruption tells a restarted appliance that this system is still there.
        """
        while True:
            try:
                self._announce()
                if self._follow():
                    return
            except Unreachable as error:
                say(f"the appliance does not answer: {error}")
                self.pause(next(self.pauses))
            except Refused as error:
                say(f"the appliance refuses this system: {error}")
                self.pause(REFUSED_PAUSE)

    def _announce(self) -> None:
        body = {
            "boot_id": system.boot_id(),
            "hostname": system.hostname(),
            "host_keys": system.host_keys(self.ssh),
            "addresses": [],
        }
        self.client.active(body)
        self.pauses = growing()
        say(f"active; the appliance at {self.client.settings.control} knows")
        self._tell_messages()

    def _tell_messages(self) -> None:
        """For people: nothing waits for them, and an appliance that does not want them is not asked twice."""
        text = "" if self.told else self.messages()
        if not text:
            return
        try:
            self.client.boot_messages(system.boot_id(), text)
        except Refused as error:
            say(f"the kernel's messages were not taken: {error}")
        except Unreachable as error:
            say(f"the kernel's messages go with the next announcement: {error}")
            return
        self.told = True

    def _follow(self) -> bool:
        """Wait for a command to go down; says whether it is on its way."""
        while True:
            wish = self.client.wait(system.boot_id())
            command, attempt = str(wish.get("command", "none")), str(wish.get("attempt", ""))
            if command in system.ACTIONS:
                return self._obey(command, attempt)
            if command != "none":
                self.client.report(attempt, "failed", f"this system does not know the command {command!r}")
            self.pause(BREATH)

    def _obey(self, command: str, attempt: str) -> bool:
        say(f"the appliance wants a {command}")
        self.client.report(attempt, "done", f"{command} follows")
        error = self.shut_down(command)
        if error:
            say(error)
            self.client.report(attempt, "failed", error)
            self.pause(SHUTDOWN_PAUSE)
        return not error
