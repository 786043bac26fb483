"""The one way to msgspec: nothing goes past it, and what is wrong is told as msgspec tells it."""

import ast
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from appliance.decoding import converted, decoded, decoder
from tests.one_by_one import one_by_one

ROOT = Path(__file__).parents[1] / "appliance"
MODULES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py")) if path.name != "decoding.py"}


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


TYPED = {"msgspec.convert", "msgspec.json.decode", "msgspec.json.Decoder"}


def past_it(text: str) -> list[int]:
    """Lines on which a kind is handed to msgspec itself."""
    if "msgspec." not in text:
        return []
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    named = [(node, ast.unparse(node.func)) for node in calls if isinstance(node.func, ast.Attribute)]
    untyped = [
        node for node, name in named if name == "msgspec.json.decode" and len(node.args) + len(node.keywords) == 1
    ]
    return [node.lineno for node, name in named if name in TYPED and node not in untyped]


@one_by_one(MODULES)
def test_kinds_are_handed_to_msgspec_in_one_place(name: str) -> None:
    """Two threads that meet a class for the first time, of which one knows of no lock, end the daemon: SIGSEGV."""
    assert past_it(MODULES[name].read_text()) == [], "use appliance.decoding"


def test_this_rule_can_fail() -> None:
    text = "msgspec.convert(a, A)\nmsgspec.json.decode(b, type=B)\nmsgspec.json.decode(c)\nmsgspec.json.Decoder(D)"
    assert past_it(text) == [1, 2, 4]


def test_values_come_out_of_documents_and_of_what_was_one() -> None:
    assert decoded(b'[{"x": 1}]', list[Point]) == [Point(1)]
    assert converted({"x": "2"}, Point, strict=False) == Point(2)
    assert converted(Point(1, 2), Point, from_attributes=True) == Point(1, 2)
    assert decoder(Point) is decoder(Point)
    assert decoder(Point) is not decoder(Point, strict=False)


@pytest.mark.parametrize("wrong", [b"", b"{", b'{"x": "1"}', b"{}"])
def test_what_is_none_is_refused(wrong: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decoded(wrong, Point)
