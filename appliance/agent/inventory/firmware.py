"""What firmware says about itself."""

from pathlib import Path

SECURE_BOOT = Path("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")


def read_secure_boot() -> bool | None:
    """Whether Secure Boot is on; None where there is no such thing (BIOS)."""
    return secure_boot(SECURE_BOOT.read_bytes()) if SECURE_BOOT.exists() else None


def secure_boot(variable: bytes) -> bool:
    """The variable's value after the four attribute bytes that efivarfs puts before it (pure)."""
    return variable[4:5] == b"\x01"
