"""Pauses follow the client's own pace, between the bounds, and double; a timeout that was agreed on is kept."""

import pytest

from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.patience import Patience

LIMITS = TftpLimits(first_timeout=1.0, least_timeout=0.25, longest_timeout=8.0)


def after_answers(*seconds, asked=None):
    patience = Patience(asked, LIMITS)
    for took in seconds:
        if took > patience.swift:
            patience.answered(took)
    return patience


def test_before_any_answer_it_is_a_second_doubled_up_to_the_longest():
    assert [Patience(None, LIMITS).pause(tries) for tries in range(6)] == [1, 2, 4, 8, 8, 8]


def test_a_swift_client_is_asked_again_soon():
    assert after_answers(0.0005).pause(0) == 0.25
    assert after_answers(*[0.001] * 50).pause(1) == 0.5


@pytest.mark.parametrize("took", [0.5, 2.0])
def test_a_slow_client_is_not_hurried(took):
    assert after_answers(took, took).pause(0) > took


def test_a_client_that_becomes_slow_is_given_more_time_and_less_again_later():
    slow = after_answers(*[0.001] * 50, 0.9)
    assert slow.pause(0) > 0.5
    assert after_answers(*[0.001] * 50, 0.9, *[0.001] * 100).pause(0) == 0.25


def test_nobody_is_waited_for_longer_than_the_longest():
    assert after_answers(60, 60).pause(0) == 8


@pytest.mark.parametrize("asked", [1, 6, 255])
def test_what_the_client_asked_for_is_kept(asked):
    patience = after_answers(0.001, 0.001, asked=asked)
    assert patience.pause(0) == asked
    assert patience.first == asked
    assert patience.pause(3) == min(asked * 8, max(asked, 8))


def test_swift_answers_of_a_swift_client_need_not_be_told_of():
    assert after_answers().swift < 0
    assert after_answers(0.001).swift == LIMITS.least_timeout / 8
    assert after_answers(0.001, 2.0).swift < 0
