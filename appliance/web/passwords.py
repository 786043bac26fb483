"""Passwords: which are good enough, and their argon2 hashes, made beside the event loop."""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from argon2.profiles import RFC_9106_LOW_MEMORY

from appliance.errors import ApplianceError, Invalid

SHORTEST, LONGEST = 10, 200
"""Characters. NIST SP 800-63B section 5.1.1.2: length counts, rules of composition do not."""

AT_ONCE = 2
"""Hashes computed at the same time: bounds the memory and processor time that strangers can make us spend."""
WAITING = 32
"""Log-ins that wait for their turn or have it; more are sent away at once instead of piling up."""


def default_hasher() -> PasswordHasher:
    """Argon2id with 64 MiB: the second recommendation of RFC 9106 section 4.

    Blocks of this size go back to the system at once; smaller ones stay in the allocator's pools for good.
    """
    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def check_password(password: str, name: str) -> str:
    """The password, if it is good enough for this user; raises Invalid otherwise."""
    if not SHORTEST <= len(password) <= LONGEST:
        message = f"the password has {len(password)} characters"
        raise Invalid("password-length", message, f"use {SHORTEST} to {LONGEST}; a sentence is fine", "password")
    if password.casefold() == name.casefold():
        raise Invalid("password-is-name", "the password is the user's name", "choose another", "password")
    if len(set(password)) == 1:
        raise Invalid("password-guessed", "the password is one character repeated", "choose another", "password")
    return password


def hash_for_file(password: str) -> str:
    """The hash of a password that is to stand in a file, such as a seed."""
    return default_hasher().hash(_bytes(password))


class Passwords:
    """Hashes and verifies in threads; argon2 releases the interpreter lock while it works."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._decoy = _of_nobody(hasher)
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to store; raises ApplianceError ``login-busy``, as ``matches`` does."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one behind ``stored``; None takes as long, and never is."""
        async with self._turn():
            same = await asyncio.to_thread(self._verify, stored or self._decoy, password)
        return same and stored is not None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING:
            message = "too many log-ins are being checked already"
            raise ApplianceError("login-busy", message, "try again in a moment")
        self._waiting += 1
        try:
            async with self._free:
                yield
        finally:
            self._waiting -= 1

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _of_nobody(hasher: PasswordHasher) -> str:
    """A hash that is as much work to compare with as a real one, and that no password is known to have.

    Its salt and its value are drawn: to compute it would keep every start of the daemon for a fifth of a second.
    """
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    drawn = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len))
    return "$".join(("", f"argon2{hasher.type.name.lower()}", f"v={ARGON2_VERSION}", costs, *drawn))


def _bytes(password: str) -> bytes:
    # Two keyboards may send one letter as one code point or as two (NIST SP 800-63B section 5.1.1.2).
    return unicodedata.normalize("NFKC", password).encode(errors="replace")
