"""Filter, sort and page from an address."""

from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from appliance.web.console.listing import PER_PAGE, Query, listed, parse_query

COLUMNS = {"name": str, "size": lambda number: -number}


def query(**values: str) -> Query:
    return parse_query("/things", values, ("q",), tuple(COLUMNS))


def test_without_parameters_the_first_column_sorts() -> None:
    found = listed([2, 1, 3], query(), lambda _: True, COLUMNS)
    assert list(found.rows) == [1, 2, 3]
    assert found.query.link() == "/things"


def test_a_second_click_on_a_column_turns_the_order_round() -> None:
    first = query().sort_link("size")
    assert parse_qs(urlsplit(first).query) == {"sort": ["size"]}
    again = query(sort="size").sort_link("size")
    assert parse_qs(urlsplit(again).query) == {"sort": ["size"], "dir": ["desc"]}
    assert list(listed([1, 2], query(sort="size", dir="desc"), lambda _: True, COLUMNS).rows) == [1, 2]


def test_the_last_page_stands_for_any_beyond_it() -> None:
    found = listed(range(PER_PAGE + 1), query(page="999"), lambda _: True, COLUMNS)
    assert (found.query.page, len(found.rows), found.pages) == (2, 1, 2)


def test_what_matches_is_counted_apart_from_what_there_is() -> None:
    found = listed(range(10), query(q="x"), lambda number: number > 6, COLUMNS)
    assert (found.matching, found.total) == (3, 10)


def test_a_changed_filter_starts_at_the_first_page() -> None:
    assert "page" not in query(page="7").link(q="a")


@given(st.dictionaries(st.sampled_from(["q", "sort", "dir", "page", "other"]), st.text(max_size=300)))
def test_no_address_breaks_a_list(values: dict[str, str]) -> None:
    made = parse_query("/things", values, ("q",), tuple(COLUMNS))
    found = listed(range(3), made, lambda _: True, COLUMNS)
    assert len(found.rows) == 3
    assert found.query.link().startswith("/things")
