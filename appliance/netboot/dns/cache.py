"""Answers of upstream servers, kept as long as they last and as memory allows. Pure."""

from collections import OrderedDict

from appliance.netboot.dns.upstream import Asked, Verified

_OVERHEAD = 500
"""Bytes that an entry takes besides its records, roughly."""


class AnswerCache:
    """The least recently used answers go first when `most_bytes` are full."""

    def __init__(self, most_bytes: int = 4 << 20) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[Asked, Verified] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, asked: Asked, now: float) -> Verified | None:
        """The answer to `asked` if it is still good at `now` (seconds, the clock of `put`)."""
        answer = self._answers.get(asked)
        if answer is None:
            return None
        if now >= answer.stored + answer.ttl:
            self._drop(asked)
            return None
        self._answers.move_to_end(asked)
        return answer

    def put(self, asked: Asked, answer: Verified) -> None:
        """Keep `answer`; one with a TTL of 0 is for its asker only."""
        if answer.ttl <= 0:
            return
        self._drop(asked)
        self._answers[asked] = answer
        self._bytes += _size(answer)
        while self._bytes > self._most:
            self._drop(next(iter(self._answers)))

    def _drop(self, asked: Asked) -> None:
        answer = self._answers.pop(asked, None)
        if answer is not None:
            self._bytes -= _size(answer)


def _size(answer: Verified) -> int:
    return len(answer.sections.body) + _OVERHEAD


class Failures:
    """Questions that no forwarder could answer, for a moment, so that nobody's repeating makes us repeat (RFC 9520)."""

    SECONDS = 2.0
    _MOST = 2000

    def __init__(self) -> None:
        self._until: OrderedDict[Asked, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def put(self, asked: Asked, now: float) -> None:
        """Remember that `asked` got no answer at `now` (seconds, the clock of `holds`)."""
        self._until.pop(asked, None)
        self._until[asked] = now + self.SECONDS
        if len(self._until) > self._MOST:
            self._until.popitem(last=False)

    def holds(self, asked: Asked, now: float) -> bool:
        """Whether it is too early to ask again."""
        return now < self._until.get(asked, 0.0)
