"""The seed file: all of set-up in TOML, for an appliance that nobody is in front of. Pure."""

from appliance.errors import ApplianceError
from appliance.setup.checks import Complain, check
from appliance.setup.value import SECTIONS, SetUp
from appliance.toml_sections import Language, SectionReader

FILE = "seed.toml"
"""Its name on the seed partition."""
LARGEST = 64 * 1024
"""Bytes of a seed file that are read."""


class SeedError(ApplianceError):
    """The seed file is wrong: file, line, key, and what would be right."""


_LANGUAGE = Language("seed", SeedError, SECTIONS)


def read(text: str, name: str) -> tuple[SetUp, Complain]:
    """The set-up in ``text``, and what makes errors with its lines; ``name`` is the file's name for messages.

    Raises SeedError.
    """
    reader = SectionReader(text, name, _LANGUAGE)
    sections = reader.sections()
    if "management" not in sections:
        right = 'add [management] with nic = "nic0": the network that the console is reached over'
        raise SeedError("seed-invalid", f"{name}:1: [management] is missing", right, "management")
    set_up = SetUp(**sections)
    check(set_up, reader.error)
    return set_up, reader.error


def parse(text: str, name: str) -> SetUp:
    """The set-up alone; raises as ``read``."""
    return read(text, name)[0]


EXAMPLE = """\
# Seed of an appliance: put it on the SEED partition of the flashed disk, as seed.toml.
# It is applied once, at the first start that finds it; on a stick, by the disk that the stick is installed onto.
# See what it would do with: qrm seed check seed.toml

[account]
name = "admin"
# A hash, never the password: qrm seed hash. Leave it out, and the link on the appliance's screen makes the account.
# password_hash = "$argon2id$v=19$..."
# Whose SSH keys let them in as root of the appliance itself, each as the line of a .pub file. None: SSH stays off.
# ssh_keys = ["ssh-ed25519 AAAA... you@laptop"]

[site]
host_name = "appliance"
domain = "lab.test"
time_zone = "UTC"
# time_servers = ["ntp.example.com"]

[management]                        # where people reach the console
nic = "nic0"                        # by name, or by MAC address: "52:54:00:12:34:56"
address = "dhcp"                    # or fixed, with its prefix: "192.0.2.10/24"
# gateway = "192.0.2.1"             # beside a fixed address
# dns = ["192.0.2.1"]

[provisioning]                      # where machines network-boot; leave it out to choose later
nic = "nic1"                        # the same as above where one network is both
address = "10.77.0.1/24"            # leave it out where one network is both
dhcp = "authoritative"              # proxy beside another DHCP server; reservations; off
ranges = ["10.77.0.50-10.77.0.200"]
unknown_machines = "enlist"         # local-disk | ignore
nat = false                         # true: machines get out through the management network
# gateway = "10.77.0.254"           # another router of theirs
# package_proxy = "http://10.77.0.3:3128"

[storage]
data_disks = []                     # serial numbers of disks whose content may go; none: the rest of the first disk
"""
