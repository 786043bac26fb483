"""The ways to wipe a disk from strong to weak, which of them a disk can, and which of those a user wants (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .ata import Identity, Security
from .nvme import Controller, Namespace


class Method(StrEnum):
    """One way to wipe; the words are those of the step's result."""

    NVME_SANITIZE_BLOCK = "nvme-sanitize-block"
    NVME_SANITIZE_CRYPTO = "nvme-sanitize-crypto"
    NVME_FORMAT_ERASE = "nvme-format-erase"
    NVME_FORMAT_CRYPTO = "nvme-format-crypto"
    ATA_ERASE_ENHANCED = "ata-erase-enhanced"
    ATA_ERASE = "ata-erase"
    SECURE_DISCARD = "secure-discard"
    DISCARD = "discard"
    OVERWRITE = "overwrite"


M = Method
SANITIZE = (M.NVME_SANITIZE_BLOCK, M.NVME_SANITIZE_CRYPTO)
FORMAT = (M.NVME_FORMAT_ERASE, M.NVME_FORMAT_CRYPTO)
ATA_SECURITY = (M.ATA_ERASE_ENHANCED, M.ATA_ERASE)

CHOICES: dict[str, tuple[Method, ...]] = {
    "automatic": tuple(Method),
    "sanitize": SANITIZE,
    "secure-erase": (*FORMAT, *ATA_SECURITY),
    "discard": (M.SECURE_DISCARD, M.DISCARD, M.OVERWRITE),
    "overwrite": (M.OVERWRITE,),
}
"""What a user can ask for -> what is tried, in this order. Nothing weaker stands in for what was asked for."""

LEAVES_ZEROS = frozenset({M.SECURE_DISCARD, M.DISCARD, M.OVERWRITE})
"""Believed only where everything that is read back is zero. After the others a disk may read as anything else."""
del M


@dataclass(frozen=True)
class NvmeFacts:
    """An NVMe disk. `namespaces` are those of its controller, of which the disk is one."""

    controller: Controller
    namespace: Namespace
    nsid: int
    namespaces: int


@dataclass(frozen=True)
class QueueLimits:
    """What the kernel says of the disk's queue (queue-sysfs): bytes of one discard, bytes of one write of zeros."""

    discard_max_bytes: int = 0
    write_zeroes_max_bytes: int = 0


@dataclass(frozen=True)
class Facts:
    """Everything that decides how a disk can be wiped. `hidden` are bytes that it has and does not show."""

    queue: QueueLimits
    nvme: NvmeFacts | None = None
    ata: Identity | None = None
    hidden: int = 0


@dataclass(frozen=True)
class Plan:
    """What to try, in this order, and what was left out, with the reason."""

    methods: tuple[Method, ...]
    left_out: tuple[tuple[Method, str], ...]


def plan(choice: str, facts: Facts) -> Plan:
    """The methods for what a user asked for. Raises KeyError for a word that CHOICES has not."""
    asked = [method for method in CHOICES[choice] if method in _of_its_kind(facts)]
    obstacles = [(method, obstacle(method, facts, choice)) for method in asked]
    return Plan(
        tuple(method for method, why in obstacles if not why), tuple((method, why) for method, why in obstacles if why)
    )


def _of_its_kind(facts: Facts) -> Sequence[Method]:
    own = (*SANITIZE, *FORMAT) if facts.nvme else ATA_SECURITY if facts.ata else ()
    return (*own, *LEAVES_ZEROS)


def obstacle(method: Method, facts: Facts, choice: str = "automatic") -> str:
    """Why the disk cannot be wiped so; "" where it can."""
    if method in (*SANITIZE, *FORMAT):
        return _nvme_obstacle(method, facts.nvme) if facts.nvme else "it is no NVMe disk"
    if method in ATA_SECURITY:
        return _ata_obstacle(method, facts.ata.security) if facts.ata else "it is no ATA disk"
    if method in (Method.SECURE_DISCARD, Method.DISCARD) and not facts.queue.discard_max_bytes:
        return "it knows no discard"
    if method is Method.DISCARD and choice == "automatic" and not facts.queue.write_zeroes_max_bytes:
        # A plain discard is advice, which a disk may follow here and ignore there, between two samples.
        return "it does not promise that what is discarded reads as zeros"
    return ""


def _nvme_obstacle(method: Method, facts: NvmeFacts) -> str:
    controller = facts.controller
    offered = {
        Method.NVME_SANITIZE_BLOCK: controller.sanitize_block,
        Method.NVME_SANITIZE_CRYPTO: controller.sanitize_crypto,
        Method.NVME_FORMAT_ERASE: controller.formats,
        Method.NVME_FORMAT_CRYPTO: controller.formats and controller.crypto_format,
    }
    if not offered[method]:
        return "its controller does not offer it"
    if facts.namespaces > 1 and (method in SANITIZE or controller.erases_all_namespaces):
        return f"it would erase all {facts.namespaces} namespaces of the controller, and one was agreed to"
    return ""


def _ata_obstacle(method: Method, security: Security) -> str:
    if not security.supported:
        return "it has no security commands"
    if security.frozen:
        return "the firmware of this computer has frozen its security settings"
    if security.enabled:
        return "it has a password that is not ours"
    if method is Method.ATA_ERASE_ENHANCED and not security.enhanced:
        return "it does not offer it"
    return ""
