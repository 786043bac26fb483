"""The screen as it runs: keys, looks at the computer, outcomes and time come in, one after another; drawings go out."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from appliance.screen import ansi
from appliance.screen.facts import Facts
from appliance.screen.keys import Key, Keyboard, Position
from appliance.screen.orders import Cancel, Failed, Order, Outcome, Repaint
from appliance.screen.steer import Ui, came, left_alone, passed, press
from appliance.screen.terminal import Terminal
from appliance.screen.text import Size
from appliance.screen.view import view

LOOK_SECONDS = 3.0
PAUSE_SECONDS = 0.08
"""After an Escape without anything behind it, it was the key."""
REPAINT_SECONDS = 20.0
"""The kernel writes its messages onto the same terminals, and a serial line may have been plugged in just now."""
IDLE_SECONDS = 300.0
"""Without a key the front comes back, so that nothing half typed stays there for others to see."""

Say = Callable[[Outcome], None]
Carry = Callable[[Order, Facts, Say], Awaitable[Outcome]]
"""Carries an order out; says how far it is; gives back what came of it, and raises nothing but CancelledError."""
Look = Callable[[], Awaitable[Facts]]


class Live:
    """One screen on one terminal."""

    def __init__(
        self, terminal: Terminal, look: Look, carry: Carry, size: Size | None = None, ascii_only: bool = False
    ) -> None:
        """``size`` and ``ascii_only`` overrule what the terminal says of itself."""
        self._terminal, self._look, self._carry = terminal, look, carry
        self._fixed, self._ascii_only = size, ascii_only
        self._size = self._seen(size or terminal.size() or Size(ascii_only=True))
        self._ui, self._facts = Ui(), Facts()
        self._keyboard = Keyboard()
        self._answers = list[Position]()
        self._ended = asyncio.Event()
        self._touched = time.monotonic()
        self._doing: asyncio.Task[None] | None = None
        self._pause: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Until the line hangs up, or somebody ends us."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._ended.set)
        loop.add_signal_handler(signal.SIGWINCH, self._resized)
        self._take()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                looking = self._tasks.create_task(self._keep_looking())
                ticking = self._tasks.create_task(self._tick())
                await self._ended.wait()
                for each in (looking, ticking, self._doing):
                    if each is not None:
                        each.cancel()
        finally:
            self._terminal.stop_reading()
            self._terminal.close()

    def _take(self) -> None:
        self._terminal.open()
        self._resized()
        self._terminal.read(self._heard)
        self._ask()

    def _ask(self) -> None:
        if self._terminal.is_serial and self._fixed is None:
            self._answers.clear()
            self._terminal.ask()

    # -- what comes in

    def _heard(self, data: bytes) -> None:
        if not data:
            self._ended.set()
            self._terminal.stop_reading()
            return
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._pressed(self._keyboard.typed(data))
        if self._keyboard.undecided:
            loop = asyncio.get_running_loop()
            self._pause = loop.call_later(PAUSE_SECONDS, lambda: self._pressed(self._keyboard.paused()))

    def _pressed(self, keys: list[Key]) -> None:
        for key in keys:
            if isinstance(key, Position):
                self._answered(key)
                continue
            self._touched = time.monotonic()
            step = press(self._ui, key, self._facts)
            self._ui = step.ui
            if step.order is not None:
                self._begin(step.order)
        self._draw()

    def _answered(self, answer: Position) -> None:
        self._answers.append(answer)
        found = ansi.answered(self._answers[-2:])
        if found is not None and self._terminal.is_serial:
            self._answers.clear()
            self._size = self._seen(found)
            self._terminal.forget()

    def _resized(self) -> None:
        size = self._terminal.size()
        if size is not None and self._fixed is None:
            self._size = self._seen(size)
        self._terminal.forget()
        self._draw()

    def _seen(self, size: Size) -> Size:
        return replace(size, ascii_only=size.ascii_only or self._ascii_only)

    async def _keep_looking(self) -> None:
        began = False
        while True:
            self._facts = await self._look()
            if self._facts.is_installer and not began:
                self._pressed(["i"])
            began = True
            self._draw()
            await asyncio.sleep(LOOK_SECONDS)

    async def _tick(self) -> None:
        """The clock goes on by itself, whatever looking takes."""
        painted = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            now, moment = time.time(), time.monotonic()
            self._facts = replace(self._facts, at=now, clock=time.strftime("%H:%M:%S", time.localtime(now)))
            self._ui = passed(self._ui, self._facts)
            if moment - self._touched > IDLE_SECONDS:
                self._ui = left_alone(self._ui)
            if moment - painted > REPAINT_SECONDS:
                painted = moment
                self._terminal.forget()
                self._ask()
            self._draw()

    # -- what goes out

    def _draw(self) -> None:
        self._terminal.draw(view(self._ui.top, self._facts, self._size))

    def _begin(self, order: Order) -> None:
        if isinstance(order, Repaint):
            self._terminal.forget()
            self._ask()
        elif isinstance(order, Cancel):
            if self._doing is not None:
                self._doing.cancel()
        elif self._doing is None or self._doing.done():
            self._doing = self._tasks.create_task(self._do(order))

    async def _do(self, order: Order) -> None:
        try:
            outcome = await self._carry(order, self._facts, self._came)
        except asyncio.CancelledError:
            if self._ended.is_set():
                raise
            outcome = Failed("it was stopped")
        self._came(outcome)

    def _came(self, outcome: Outcome) -> None:
        self._touched = time.monotonic()
        self._ui = came(self._ui, outcome, self._size)
        self._draw()

    async def lent(self, use: Callable[[], Awaitable[None]]) -> None:
        """Give the terminal to somebody else for a while, a shell for example."""
        self._terminal.stop_reading()
        self._terminal.close()
        try:
            await use()
        finally:
            with suppress(OSError):
                self._take()
            self._touched = time.monotonic()
