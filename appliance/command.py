"""The only place where the daemon runs another program: an argument list, never a shell's line."""

import subprocess
from collections.abc import Sequence

from appliance.errors import ApplianceError


def run(argv: Sequence[str], seconds: float = 30.0) -> str:
    """Standard output of a program that ends well within ``seconds``.

    Raises ApplianceError: ``program-missing``, ``program-failed`` with its last words, ``program-stuck``.
    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=True)
    except FileNotFoundError as error:
        raise ApplianceError(
            "program-missing", f"{argv[0]} is not installed", f"install the package of {argv[0]}"
        ) from error
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout or f"exit code {error.returncode}").strip()[-500:]
        raise ApplianceError("program-failed", f"{' '.join(argv)}: {words}") from error
    except subprocess.TimeoutExpired as error:
        raise ApplianceError("program-stuck", f"{' '.join(argv)}: no end after {seconds:.0f} seconds") from error
    return done.stdout
