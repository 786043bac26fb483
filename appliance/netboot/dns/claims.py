"""Who says which name belongs to which data, and who wins when several say so. Pure.

Nothing is decided when a claim is made: a claim that loses today wins when the stronger one is withdrawn
or ends, so forward and reverse records always tell the same story.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from appliance.netboot.dns.names import reverse_name
from appliance.netboot.dns.records import Address, RecordData

Kind = Literal["own", "user", "deployment", "reservation", "machine", "lease"]

_FORWARD_RANK: dict[Kind, int] = {"lease": 0, "machine": 1, "reservation": 2, "deployment": 3, "user": 4, "own": 5}
# A user's further name for a machine must not replace the name that the machine goes by.
_REVERSE_RANK: dict[Kind, int] = {"lease": 0, "user": 1, "machine": 2, "reservation": 3, "deployment": 4, "own": 5}


@dataclass(frozen=True)
class Claim:
    """`name` has `data` until `until` (unix time; None: until withdrawn)."""

    name: str
    data: RecordData
    until: float | None
    kind: Kind

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until

    @cached_property
    def pointer(self) -> str | None:
        """The name of the PTR record that goes with this claim."""
        return reverse_name(self.data.address) if isinstance(self.data, Address) else None


class Claims:
    """All claims by their owners' keys; one claim per key."""

    def __init__(self, apexes: Iterable[str]) -> None:
        self._apexes = frozenset(apexes)
        self._by_owner: dict[str, Claim] = {}
        self._by_name: dict[str, dict[str, Claim]] = {}
        self._by_pointer: dict[str, dict[str, Claim]] = {}
        self._between: Counter[str] = Counter()  # names that only have names below them

    def __len__(self) -> int:
        return len(self._by_owner)

    def put(self, owner: str, claim: Claim) -> set[str]:
        """Set the claim of `owner`; the names whose answers that changes. A renewal keeps its turn."""
        old = self._by_owner.get(owner)
        if old == claim:
            return set()
        before: set[str] = set()
        if old and (old.name, old.pointer) != (claim.name, claim.pointer):
            before, old = self.remove(owner), None
        self._by_owner[owner] = claim
        for index, key in self._indexes(claim):
            index.setdefault(key, {})[owner] = claim
            if old is None:
                self._between.update(self._ancestors(key))
        return before | self._concerned(claim)

    def remove(self, owner: str) -> set[str]:
        """Drop the claim of `owner`, if there is one; the names whose answers that changes."""
        claim = self._by_owner.get(owner)
        if claim is None:
            return set()
        concerned = self._concerned(claim)
        del self._by_owner[owner]
        for index, key in self._indexes(claim):
            del index[key][owner]
            if not index[key]:
                del index[key]
            self._forget_ancestors(key)
        return concerned

    def _concerned(self, claim: Claim) -> set[str]:
        """The names whose answers `claim`, which is kept, has a say in.

        The names above are among them, which exist while there is something below them, and the zone, whose
        serial grows; so are those of the PTR records of every claim for the same name, since only a name that
        wins is pointed to.
        """
        found = set(self._line(claim.name))
        for each in self._by_name[claim.name].values():
            if each.pointer:
                found.update(self._line(each.pointer))
        return found

    def _line(self, name: str) -> list[str]:
        """`name`, the names above it, and its zone last; alone where it lies in none."""
        found = [name]
        while found[-1] not in self._apexes:
            above = found[-1].partition(".")[2]
            if not above:
                return found[:1]
            found.append(above)
        return found

    def ended(self, now: float) -> list[str]:
        """The owners of claims that have ended."""
        return [owner for owner, claim in self._by_owner.items() if not claim.holds(now)]

    def named(self, name: str, now: float) -> list[Claim]:
        """The claims that count for `name`: of the strongest kind; of leases only the first one's."""
        holding = self._holding(self._by_name, name, now)
        best = max((_FORWARD_RANK[claim.kind] for claim in holding), default=0)
        winners = [claim for claim in holding if _FORWARD_RANK[claim.kind] == best]
        return winners[:1] if winners and winners[0].kind == "lease" else winners

    def winning(self, now: float) -> list[tuple[str, Claim]]:
        """The claims that count, of all names, with the keys of their owners."""
        found: list[tuple[str, Claim]] = []
        for name, claims in self._by_name.items():
            if len(claims) == 1:  # as most are, of tens of thousands; nothing else is served meanwhile
                found += [one for one in claims.items() if one[1].holds(now)]
                continue
            counting = self.named(name, now)
            found += [(owner, each) for owner, each in claims.items() if any(each is other for other in counting)]
        return found

    def losing(self, now: float) -> list[tuple[str, Claim, Kind]]:
        """The claims that do not count, with the keys of their owners and the kind of those that do."""
        found: list[tuple[str, Claim, Kind]] = []
        for name, claims in self._by_name.items():
            if len(claims) > 1:
                counting = self.named(name, now)
                others = [one for one in claims.items() if one[1].holds(now) and one[1] not in counting]
                found += [(owner, each, counting[0].kind) for owner, each in others]
        return found

    def pointed(self, pointer: str, now: float) -> list[Claim]:
        """The one claim, or none, whose name the PTR record at `pointer` gives.

        Only names that lead back to the address are candidates.
        """
        holding = self._holding(self._by_pointer, pointer, now)
        mutual = [claim for claim in holding if claim in self.named(claim.name, now)]
        return [max(mutual, key=lambda claim: _REVERSE_RANK[claim.kind])] if mutual else []

    def next_end(self, name: str, now: float) -> float:
        """When the next claim ends that has a say in `named` or `pointed` for `name` (unix time)."""
        pointing = self._holding(self._by_pointer, name, now)
        names = {name, *(claim.name for claim in pointing)}
        concerned = [claim for each in names for claim in self._holding(self._by_name, each, now)]
        return min((claim.until for claim in concerned if claim.until is not None), default=float("inf"))

    def is_between(self, name: str) -> bool:
        """Whether there are names below `name` (an empty non-terminal, RFC 8020)."""
        return name in self._between

    def _holding(self, index: dict[str, dict[str, Claim]], key: str, now: float) -> list[Claim]:
        return [claim for claim in index.get(key, {}).values() if claim.holds(now)]

    def _indexes(self, claim: Claim) -> list[tuple[dict[str, dict[str, Claim]], str]]:
        indexes = [(self._by_name, claim.name)]
        if claim.pointer:
            indexes.append((self._by_pointer, claim.pointer))
        return indexes

    def _ancestors(self, name: str) -> list[str]:
        return self._line(name)[1:-1]

    def _forget_ancestors(self, name: str) -> None:
        for ancestor in self._ancestors(name):
            self._between[ancestor] -= 1
            if not self._between[ancestor]:
                del self._between[ancestor]
