"""``python -m tests.guest``: a shell in the guest; with arguments, the tests that they name, as pytest runs them."""

import subprocess
import sys

from tests.guest.outside.artefact import built
from tests.guest.outside.machine import Machine

WELCOME = """The guest starts; a shell comes by itself. The project is in /qrm, as it is now; run a test there with
  python3 -m pytest -p no:cacheprovider tests/guest/test_guest_thin_pool.py
poweroff ends it, and so does Ctrl-A X; nothing is kept."""


def main(arguments: list[str]) -> int:
    """The exit status of the shell's guest, or of pytest."""
    if arguments:
        return subprocess.run([sys.executable, "-m", "pytest", "-v", *arguments], check=False).returncode
    machine = Machine(built())
    print(WELCOME, file=sys.stderr)
    try:
        return machine.attend()
    finally:
        machine.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
