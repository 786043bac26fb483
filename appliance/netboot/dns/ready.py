"""Answers of the zone kept in wire form, by the bytes of the query: the hot path parses nothing. Pure."""

_MOST = 4096
_LONGEST_KEY = 300
"""Bytes. No plain query is longer; others are not worth the memory."""


class ReadyAnswers:
    """Everything but the first two bytes, the id, is the same for the same query."""

    def __init__(self) -> None:
        self._generation = 0
        self._answers: dict[bytes, tuple[bytes, float]] = {}

    def get(self, query: bytes, generation: int, now: float) -> bytes | None:
        """The answer to `query` if one is kept from this `generation` of the zone and still true."""
        if generation != self._generation:
            return None
        kept = self._answers.get(query[2:])
        return query[:2] + kept[0] if kept and now < kept[1] else None

    def put(self, query: bytes, answer: bytes, generation: int, fresh_until: float) -> None:
        """Keep `answer` until `fresh_until` or the next generation."""
        if generation != self._generation or len(self._answers) >= _MOST:
            self._answers.clear()  # a full house is an attack or a change of habits: start anew
            self._generation = generation
        if len(query) <= _LONGEST_KEY:
            self._answers[query[2:]] = (answer[2:], fresh_until)
