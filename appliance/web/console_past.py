"""What a serial line said last, so that whoever comes later sees the present screen. Pure.

Positions count all bytes that the line ever said. What is read from here is kept once, however many read.
"""


class Past:
    """At least ``most`` bytes, and less than twice as many."""

    def __init__(self, most: int) -> None:
        self._most, self._kept = most, bytearray()
        self.end = 0
        """Where the next byte will be."""

    @property
    def begin(self) -> int:
        """Of what is kept still."""
        return self.end - len(self._kept)

    def add(self, data: bytes) -> None:
        """The line says more."""
        self._kept += data
        self.end += len(data)
        if len(self._kept) >= 2 * self._most:
            del self._kept[: len(self._kept) - self._most]

    def after(self, position: int, most: int) -> bytes | None:
        """At most so many bytes from there on; None where they are gone."""
        place = position - self.begin
        return bytes(self._kept[place : place + most]) if place >= 0 else None

    def latest(self) -> tuple[int, bytes]:
        """Where the last ``most`` bytes are, and they; from the begin of a line where something before is missing."""
        place = max(len(self._kept) - self._most, 0)
        if place or self.begin:  # in the middle of a sequence, or of a character
            place = self._kept.find(b"\n", place) + 1 or place
        return self.begin + place, bytes(self._kept[place:])
