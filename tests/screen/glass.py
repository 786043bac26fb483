"""A terminal for the real program: a pty, what is typed on it, and what stands on its glass."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

_SEQUENCE = re.compile(rb"\x1b(?:\[([0-9;?]*)([A-Za-z])|%G)")


class Glass:
    """Understands what the program sends: where the cursor goes, what is erased, letters. Anything else is a fault."""

    def __init__(self, columns=80, rows=24):
        self.columns, self.rows = columns, rows
        self.cells = {}
        self.row, self.column = 1, 1
        self.asked = 0
        self._waiting = b""

    def feed(self, data):
        data = self._waiting + data
        while data:
            if data[:1] == b"\x1b":
                found = _SEQUENCE.match(data)
                if not found:
                    assert len(data) < 32, data
                    break
                self._act(found[1] or b"", (found[2] or b"").decode())
                data = data[found.end() :]
                continue
            text = data.partition(b"\x1b")[0]
            self._put(text)
            data = data[len(text) :]
        self._waiting = data

    def _act(self, arguments, kind):
        numbers = [int(each) for each in arguments.replace(b"?", b"").split(b";") if each]
        if kind == "H":
            self.row, self.column = (*numbers, 1, 1)[:2] if numbers else (1, 1)
            self.row, self.column = min(self.row, self.rows), min(self.column, self.columns)
        elif kind == "J":
            self.cells.clear()
        elif kind == "K":
            for column in range(self.column, self.columns + 1):
                self.cells.pop((self.row, column), None)
        elif kind == "n":
            self.asked += 1
        else:
            assert kind in "mhl", kind

    def _put(self, text):
        for letter in text.decode(errors="replace"):
            if letter == "\r":
                self.column = 1
            elif letter == "\n":
                self.row += 1
            else:
                self.cells[self.row, self.column] = letter
                self.column = min(self.column + 1, self.columns)

    @property
    def lines(self):
        return [
            "".join(self.cells.get((row, column), " ") for column in range(1, self.columns + 1)).rstrip()
            for row in range(1, self.rows + 1)
        ]

    @property
    def text(self):
        return " ".join(" ".join(self.lines).split())


class Program:
    """``qrm screen`` on a pty, with its controlling terminal, as systemd starts it."""

    def __init__(self, *arguments, columns=80, rows=24, environment=None):
        self.master, slave = pty.openpty()
        self.glass = Glass(columns or 80, rows or 24)
        self.resize(columns, rows)
        self.kept = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "screen", *arguments], stdin=slave, stdout=slave,
            stderr=subprocess.PIPE, start_new_session=True, env={**os.environ, **(environment or {})},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.slave = slave
        self._open = [self.master, slave]

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.glass.columns, self.glass.rows = columns or 80, rows or 24

    def types(self, text):
        os.write(self.master, text if isinstance(text, bytes) else text.encode())

    def reads(self, seconds=0.2):
        """Takes up what comes; whether anything did."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            self.glass.feed(os.read(self.master, 65536))
        except OSError:
            return False
        return True

    def until(self, seen, what):
        """Wait for a state; a test that waits too long ends by its own timeout, or here."""
        end = time.monotonic() + 60
        while not seen():
            self.reads()
            ended = self.process.poll() is not None and not self.reads()
            if time.monotonic() > end or (ended and not seen()):
                said = self.process.stderr.read().decode() if ended else ""
                raise AssertionError(f"no {what!r}\n" + "\n".join(self.glass.lines) + said)
        return self

    def sees(self, words):
        return self.until(lambda: words in self.glass.text, words)

    def sees_no(self, words):
        return self.until(lambda: words not in self.glass.text, f"screen without {words}")

    def ends(self):
        """The exit code, once it ended by itself."""
        self.until(lambda: self.process.poll() is not None, "end")
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()
        while self._open:
            os.close(self._open.pop())

    def hangs_up(self):
        """The other end of the line is gone."""
        while self._open:
            os.close(self._open.pop())
