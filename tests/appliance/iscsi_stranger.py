"""Somebody on the provisioning network who tries to log in to a machine's disk by iSCSI (RFC 7143, 6 and 11.12).

A program of its own, for the lab's network: ``iscsi_stranger.py ADDRESS TARGET INITIATOR USER`` prints as JSON what
the target answers to each attempt: ``[class, detail]`` (RFC 7143, 11.13.5), or HUNG_UP where it says nothing.
"""

import json
import socket
import sys
from collections.abc import Mapping

PORT = 3260
HEADER = 48
LOGIN = 0x43
ANSWER = 0x23
SECURITY_TO_OPERATIONAL = 0x81
"""All that was to be said of security is said."""
SECURITY_GOES_ON = 0x00
STRANGER = "iqn.2026-11.test.lab:machine-somebody"
SECONDS = 30.0
REFUSED = 2
"""The class of what is the initiator's fault."""
HUNG_UP = (REFUSED, -1)
"""A refusal without a word."""

Status = tuple[int, int]


class Dialogue:
    """A connection on which somebody tries to log in."""

    def __init__(self, address: str) -> None:
        self._line = socket.create_connection((address, PORT), SECONDS)

    def __enter__(self) -> "Dialogue":
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def says(self, said: Mapping[str, str], flags: int = SECURITY_TO_OPERATIONAL) -> tuple[Status, dict[str, str]]:
        """The target's status, and what else it says."""
        data = "".join(f"{key}={value}\0" for key, value in said.items()).encode()
        head = bytearray(HEADER)
        head[0], head[1] = LOGIN, flags
        head[5:8] = len(data).to_bytes(3)
        head[8] = 0x80  # the session's identifier is any number
        self._line.sendall(bytes(head) + data + bytes(-len(data) % 4))
        try:
            return self._answer()
        except ConnectionError:
            return HUNG_UP, {}

    def _answer(self) -> tuple[Status, dict[str, str]]:
        head = self._bytes(HEADER)
        assert head[0] == ANSWER, f"no answer to a login: {head.hex()}"
        length = int.from_bytes(head[5:8])
        data = self._bytes(length + -length % 4)[:length]
        pairs = (each.partition("=") for each in data.decode().split("\0") if each)
        return (head[36], head[37]), {key: value for key, _, value in pairs}

    def _bytes(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._line.recv(count - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data


def without_secret(address: str, target: str, initiator: str) -> Status:
    """Says that it will prove nothing."""
    with Dialogue(address) as login:
        return login.says(_who(target, initiator) | {"AuthMethod": "None"})[0]


def with_wrong_secret(address: str, target: str, initiator: str, user: str) -> Status:
    """Takes the target's challenge (RFC 1994), and answers something."""
    with Dialogue(address) as login:
        status, _ = login.says(_who(target, initiator) | {"AuthMethod": "CHAP"})
        assert status == (0, 0), status
        status, asked = login.says({"CHAP_A": "5"}, SECURITY_GOES_ON)
        assert status == (0, 0), status
        assert asked["CHAP_C"]
        return login.says({"CHAP_N": user, "CHAP_R": f"0x{bytes(16).hex()}"})[0]


def _who(target: str, initiator: str) -> dict[str, str]:
    return {"InitiatorName": initiator, "SessionType": "Normal", "TargetName": target}


def main(address: str, target: str, initiator: str, user: str) -> None:
    """Try everything."""
    found = {
        "somebody": without_secret(address, target, STRANGER),
        "its name": without_secret(address, target, initiator),
        "its name and a secret": with_wrong_secret(address, target, initiator, user),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
