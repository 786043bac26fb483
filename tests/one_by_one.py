"""A rule that holds for each of many things, as one test."""

import functools
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
Rule = Callable[[T], None]


def one_by_one(things: Iterable[T]) -> Callable[[Rule[T]], Callable[[], None]]:
    """Make a test of a rule about one of ``things``: all that break it are told, each with what it broke.

    Thousands of cases of their own would take longer to be chosen, reported and counted than to be held.
    """
    kept = list(things)

    def over(rule: Rule[T]) -> Callable[[], None]:
        @functools.wraps(rule)
        def test() -> None:
            assert kept, "a rule about nothing holds always"
            broken = [f"{thing}: {said}" for thing in kept if (said := _broken(rule, thing))]
            assert not broken, "\n".join(broken)

        del test.__wrapped__  # pytest would ask the rule what it needs, and look for a fixture of its parameter's name
        return test

    return over


def _broken(rule: Rule[T], thing: T) -> str:
    """What the rule says against it; empty when it holds."""
    try:
        rule(thing)
    except AssertionError as error:
        return str(error) or "breaks it"
    return ""
