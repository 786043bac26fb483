"""``python -m appliance`` and ``qrm``."""

import sys
from pathlib import Path


def main() -> int:
    """Run the command line; the exit code.

    The daemon, as systemd starts it, goes past what reads command lines: that would stay in its memory for years.
    """
    match sys.argv[1:]:
        case ["serve", "--config", file]:
            from appliance.serving import serve

            return serve(Path(file))
        case _:
            from appliance.cli.main import main as commands

            return commands()


if __name__ == "__main__":
    sys.exit(main())
