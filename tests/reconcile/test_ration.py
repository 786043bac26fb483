"""How many facts of one kind are told."""

from appliance.reconcile import ration
from appliance.reconcile.ration import Ration, more


def test_a_burst_then_one_each_so_many_seconds():
    taken = Ration(3, 10.0)
    assert [taken.admit("a", 0.0) for _ in range(5)] == [0, 0, 0, None, None]
    assert taken.admit("b", 0.0) == 0
    assert [taken.admit("a", 9.0), taken.admit("a", 10.5), taken.admit("a", 11.0)] == [None, 3, None]
    assert [taken.admit("a", 1000.0) for _ in range(4)] == [1, 0, 0, None]


def test_a_clock_that_is_set_back_costs_nothing_for_ever():
    taken = Ration(1, 10.0)
    assert taken.admit("a", 5000.0) == 0
    assert taken.admit("a", 0.0) is None
    assert taken.admit("a", 10.0) == 1


def test_made_up_keys_do_not_add_up(monkeypatch):
    monkeypatch.setattr(ration, "KEYS", 3)
    taken = Ration(1, 10.0)
    for key in range(10):
        taken.admit(key, 0.0)
    assert len(taken._buckets) == 3
    assert taken.admit(9, 0.0) is None


def test_what_was_left_out_is_counted():
    assert (more("x", 0), more("x", 7)) == ("x", "x (7 more were not told)")
