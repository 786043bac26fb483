"""The power button of a lab's machine, for controllers to press as they press that of a ``BenchMachine``.

A program too: what ``ipmi_sim`` calls to control its chassis. The directory holds all there is to know; nothing but
Python's own library is needed.
"""

import json
import socket
import sys
from pathlib import Path

from bench_machine import control, taken


class LabButton:
    """Tells the lab over its control socket (``appliance.lab.control``), whoever presses it.

    The machine's firmware tries its disks only; the network it tries at the one start after ``boot`` said "pxe".
    """

    program = Path(__file__)
    """What controls it for ``ipmi_sim``."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.boot, self.starts = self.directory / "boot", self.directory / "starts"
        self._lab, self._name = json.loads(self._note(directory).read_text())

    @staticmethod
    def _note(directory):
        return Path(directory) / "lab.json"

    @classmethod
    def made(cls, directory, lab, name):
        """For the machine ``name`` of the lab with the control socket ``lab``; ``directory`` is made."""
        Path(directory).mkdir()
        cls._note(directory).write_text(json.dumps([str(lab), name]))
        return cls(directory)

    @classmethod
    def is_in(cls, directory):
        """Whether the directory is one of these."""
        return cls._note(directory).exists()

    def is_on(self):
        return self._ask("status")["machines"][self._name]["running"]

    def on(self):
        if self.is_on():
            return
        device = taken(self.boot, self.starts)
        self._ask("power-on", machine=self._name, start={"network": device == "pxe"})

    def off(self):
        self._ask("power-off", machine=self._name)

    def started(self):
        """One word for each start: what it was to boot from."""
        return self.starts.read_text().split() if self.starts.exists() else []

    def _ask(self, order, **arguments):
        with socket.socket(socket.AF_UNIX) as line, line.makefile("rw") as words:
            line.settimeout(60)
            line.connect(self._lab)
            words.write(json.dumps({"order": order, **arguments}) + "\n")
            words.flush()
            answer = json.loads(words.readline())
        if "code" in answer:
            raise RuntimeError(f"{order}: {answer['code']}: {answer['message']}")
        return answer["result"]


if __name__ == "__main__":
    control(LabButton(sys.argv[1]), sys.argv[3], sys.argv[4:])
