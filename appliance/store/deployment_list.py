"""How deployments are listed, with the machines that they are on and their images."""

from typing import Annotated, Literal

import msgspec

from appliance.machine import State
from appliance.store.listing import Condition, Filter, Listing, Sort, Test, any_of, each_of, words

Word = Annotated[str, msgspec.Meta(max_length=200)]

STATES = (*(state.value for state in State), "released")
_STATE = "coalesce(m.state, 'released')"


def _named(table: str) -> Test:
    def test(value: str, _: float) -> list[Condition]:
        return [(f"({table}.name = ? OR {table}.id = ?)", (value, value))]

    return test


LISTING = Listing(
    table="deployments d JOIN images i ON i.id = d.image LEFT JOIN machines m ON m.id = d.machine",
    columns="d.doc, i.doc, m.doc, m.digest",
    id="d.id",
    sorts={
        "name": Sort("d.name"),
        "state": Sort(_STATE),
        "machine": Sort("coalesce(m.name, '')"),
        "image": Sort("i.name"),
        "created": Sort("d.created", float),
    },
    default="name",
    filters={
        "q": Filter(
            Word,
            words("(d.name || ' ' || i.name || ' ' || coalesce(m.search, ''))"),
            "words that are all in its name, its image's, or what its machine is found by",
        ),
        "state": Filter(
            list[Literal[STATES]],  # type: ignore[valid-type]
            any_of(_STATE),
            "only with a machine in this state, or with none: released; several may be given",
        ),
        "image": Filter(Word, _named("i"), "only of this image, by id or name"),
        "machine": Filter(Word, _named("m"), "only on this machine, by id or name"),
        "tag": Filter(
            list[Word],
            each_of("EXISTS (SELECT 1 FROM machine_tags t WHERE t.machine = m.id AND t.tag = ?)"),
            "only on a machine with this tag; with all of them, where several are given",
        ),
    },
)
"""Gives the documents of the deployment, its image and its machine, and the digest of the machine's inventory."""
