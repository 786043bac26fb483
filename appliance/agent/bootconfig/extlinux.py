"""The default entry of an extlinux.conf or syslinux.cfg (pure). wiki.syslinux.org, "Config"."""

from .entry import BootEntry


def default_entry(text: str) -> BootEntry | None:
    """What the boot loader would boot by itself; None when there is no Linux entry."""
    default, labels = "", dict[str, dict[str, str]]()
    current: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key.lower() == "default":
            default = value.strip()
        elif key.lower() == "label":
            current = labels.setdefault(value.strip(), {})
        elif key and not key.startswith("#"):
            current[key.lower()] = value.strip()
    return _entry(default, labels)


def _entry(default: str, labels: dict[str, dict[str, str]]) -> BootEntry | None:
    bootable = {name: said for name, said in labels.items() if "linux" in said or "kernel" in said}
    name = default if default in bootable else next(iter(bootable), None)
    if name is None:
        return None
    said = bootable[name]
    options = said.get("append", "").split()
    initrds = said.get("initrd", "").split(",")
    initrds += [word.removeprefix("initrd=") for word in options if word.startswith("initrd=")]
    cmdline = " ".join(word for word in options if not word.startswith("initrd="))
    linux = said.get("linux") or said["kernel"]
    return BootEntry(name, linux, tuple(path for path in initrds if path), cmdline)
