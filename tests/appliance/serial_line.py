"""Somebody at the serial line of the appliance: reads its screen, presses keys, and works in its shell."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from appliance.lab.lab import LabMachine
from tests.screen.glass import Glass

SECONDS = 240
"""Until an emulated computer that does much else shows what was asked for."""
POLL_SECONDS = 0.3
_SEQUENCE = re.compile(
    rb"(\x1b\[[0-9;]*[HJKn])|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\-~]"
)
"""What the screen sends of interest; and whatever else there is (ECMA-48), of firmware, of systemd, of a shell."""
_BEGUN = re.compile(rb"\x1b[^@-~]?[^@-~]{0,30}\Z|\x1b\[[0-?]*\Z")


class Line(Glass):
    """A terminal at the other end, which takes whatever comes over a serial line."""

    begun = b""

    def feed(self, data):
        data = self.begun + data
        ended = _BEGUN.search(data)
        self.begun = ended[0] if ended else b""
        super().feed(_SEQUENCE.sub(lambda found: found[1] or b"", data.removesuffix(self.begun)))

    def _put(self, text):
        for letter in text.decode(errors="replace"):
            if letter == "\n" and self.row >= self.rows:
                self.cells = {(row - 1, column): cell for (row, column), cell in self.cells.items() if row > 1}
            elif letter.isprintable() or letter in "\r\n":
                super()._put(letter.encode())


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command in the shell came to."""

    status: int
    output: str

    def check(self) -> str:
        """Its output; fails where the command did."""
        assert self.status == 0, f"exit code {self.status}: {self.output}"
        return self.output.strip()


class SerialLine:
    """The serial console of a lab's machine."""

    def __init__(self, machine: LabMachine) -> None:
        self.machine = machine
        self._glass = Line()
        self._read = 0

    def _look(self) -> str:
        data = self.machine.serial_text().encode()
        self._glass.feed(data[self._read :])
        self._read = len(data)
        return str(self._glass.text)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        self._look()
        return list(self._glass.lines)

    async def repaint(self) -> "SerialLine":
        """Have the screen painted anew: what stood there before was perhaps not all of it."""
        self._read = len(self.machine.serial_text().encode())
        self._glass = Line()
        await self.types("\x0c")
        return self

    async def types(self, text: str) -> None:
        """Press keys."""
        await self.machine.type(text)

    async def until(self, seen: Callable[[str], bool], what: str, seconds: float = SECONDS) -> str:
        """Wait until the screen is so; its text."""
        try:
            async with asyncio.timeout(seconds):
                while not seen(text := self._look()):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"no {what!r} on the screen:\n" + "\n".join(self._glass.lines)) from None
        return text

    async def sees(self, words: str, seconds: float = SECONDS) -> str:
        """Wait for words."""
        return await self.until(lambda text: words in text, words, seconds)

    async def front(self) -> str:
        """Wait for the first page, from wherever the screen is; what stands on it."""
        await self.repaint()
        await self.until(lambda text: "Enter" in text, "a page")
        if "Menu" not in self._look() or "Fingerprint" not in self._look():
            await self.types("\x1b\x1b\x1b")
        return await self.sees("Last events")

    async def chooses(self, words: str) -> None:
        """Open the menu from the first page, and the choice with these words."""
        await self.front()
        await self.types("\r")
        await self.sees("Factory reset")
        line = next(line for line in self.lines if words in line)
        await self.types(next(word for word in line.split() if word.isdecimal()))

    async def log_in(self, name: str, password: str) -> "Shell":
        """A shell whose end is somebody else's business."""
        await self.chooses("Shell")
        await self.sees("Name and password of an administrator")
        await self.types(f"{name}\r{password}\r\r")
        await self.until(lambda text: text.endswith("#"), "prompt")
        shell = Shell(self)
        await shell.begin()
        return shell

    @asynccontextmanager
    async def shell(self, name: str, password: str) -> AsyncIterator["Shell"]:
        """Log in to the shell as an administrator; out of it at the end of the block."""
        shell = await self.log_in(name, password)
        yield shell
        await shell.end()  # where the block has failed, the shell may be at work, and hide why


class Shell:
    """Root's shell on the line: a command at a time."""

    def __init__(self, line: SerialLine) -> None:
        self._line = line
        self._number = 0

    async def begin(self) -> None:
        """Quiet: no echo, no prompt, no messages of the kernel in between."""
        await self._line.types("exec bash --noediting --norc\n")
        await self._line.types("stty -echo; PS1= PS2= TERM=dumb; unset TMOUT; dmesg --console-off\n")
        await self.run("true")

    async def run(self, command: str, seconds: float = SECONDS) -> Ran:
        """A command line's exit code and what it wrote, errors too."""
        self._number += 1
        before = len(self._line.machine.serial_text())
        mark = f"{self._number}"
        await self._line.types(f'{{ {command}\n}} 2>&1; echo "$((6*7))-{mark}-$?-"\n')
        ended = re.compile(rf"42-{mark}-(\d+)-")
        try:
            async with asyncio.timeout(seconds):
                while not (found := ended.search(text := self._line.machine.serial_text()[before:])):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{command}: no end; so far: {text[-2000:]}") from None
        return Ran(int(found[1]), text[: found.start()].replace("\r\n", "\n"))

    async def do(self, command: str, seconds: float = SECONDS) -> str:
        """What a command wrote that has to end well."""
        return (await self.run(command, seconds)).check()

    async def end(self) -> None:
        """Log out."""
        await self._line.types("dmesg --console-on; exit\n")
        await self._line.sees("Last events")
