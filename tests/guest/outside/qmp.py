"""Asking QEMU about the guest, one question at a time (QEMU documentation, docs/interop/qmp-spec.rst)."""

import json
import socket
from typing import Any


class Qmp:
    """One connection; events that come in between are of no interest here."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lines = connection.makefile("rb")
        self._greeted = False

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """What QEMU answers; raises RuntimeError with its words when it refuses."""
        if not self._greeted:
            self._lines.readline()
            self._greeted = True
            self.execute("qmp_capabilities")
        self.connection.sendall(json.dumps({"execute": command, "arguments": arguments or {}}).encode())
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise RuntimeError(f"{command}: QEMU has ended")

    def close(self) -> None:
        """Let go of the connection."""
        self._lines.close()
        self.connection.close()
