"""Consoles of a host that is nothing but values: one can look at them, and type."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from appliance.hypervisor.consoles import ConsoleKind, check_on, taken
from appliance.hypervisor.memory_screen import Screen
from appliance.vm import Vm, VmId, VmState
from appliance.vm_host import Change


class Speaker(Protocol):
    """What is at the other end of a console; touches nothing."""

    def greets(self) -> bytes:
        """What it says first."""
        ...

    def hears(self, data: bytes) -> bytes:
        """What it answers."""
        ...


class Prompt:
    """Something that asks for a name on a serial line, for ever."""

    def __init__(self, name: str) -> None:
        self._ask = f"{name} login: ".encode()
        self._line = b""

    def greets(self) -> bytes:
        """The question."""
        return b"\r\n" + self._ask

    def hears(self, data: bytes) -> bytes:
        """An echo, and after each line what it was."""
        said = b""
        for each in (data[place : place + 1] for place in range(len(data))):
            if each != b"\r":
                self._line, said = (self._line + each)[-200:], said + each
                continue
            said += b"\r\nno user is called " + self._line + b"\r\n" + self._ask
            self._line = b""
        return said


class Talk(asyncio.Protocol):
    """One open console; ``is_on`` is asked at each change of the host, and its end is that of the VM."""

    def __init__(self, speaker: Speaker, is_on: Callable[[], bool], ended: Callable[["Talk"], None]) -> None:
        self._speaker, self._is_on, self._ended = speaker, is_on, ended
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says its first words."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._speaker.greets())

    def data_received(self, data: bytes) -> None:
        """Answers."""
        if self._transport is not None:
            self._transport.write(self._speaker.hears(data))

    def pause_writing(self) -> None:
        """Whoever does not read is not listened to."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """They do again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Either end is gone."""
        self._transport = None
        self._ended(self)

    def look(self, change: Change) -> None:
        """Something changed on the host."""
        if self._transport is not None and not self._is_on():
            self._transport.close()


class MemoryConsoles:
    """``found`` gives a VM with its state; raises what a host would. ``hear`` is who is told of changes."""

    def __init__(self, found: Callable[[VmId], tuple[Vm, VmState]], hear: list[Callable[[Change], None]]) -> None:
        self._found, self._hear = found, hear
        self._serial: dict[VmId, Talk] = {}

    async def open(self, key: VmId, kind: ConsoleKind) -> socket.socket:
        """The end of a pair, with something at the other end."""
        vm, state = self._found(key)
        check_on(kind, state, vm.name)
        if kind is ConsoleKind.SERIAL and key in self._serial:
            raise taken(vm.name)
        speaker = Screen(vm.name) if kind is ConsoleKind.SCREEN else Prompt(vm.name)
        talk = Talk(speaker, lambda: self._is_on(key), lambda ended: self._end(key, ended))
        if kind is ConsoleKind.SERIAL:
            self._serial[key] = talk
        self._hear.append(talk.look)
        outer, inner = socket.socketpair()
        outer.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: talk, inner)
        return outer

    def _is_on(self, key: VmId) -> bool:
        return self._found(key)[1] is not VmState.OFF

    def _end(self, key: VmId, talk: Talk) -> None:
        self._hear.remove(talk.look)
        if self._serial.get(key) is talk:
            del self._serial[key]
