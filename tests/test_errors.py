"""What ended the rest is found, however deep the groups of tasks lie."""

from appliance.errors import Invalid, first_of


def test_the_error_that_ended_the_rest() -> None:
    first, later = Invalid("name-invalid", "no name"), OSError()
    inner = ExceptionGroup("tasks of a server", [first, later])
    assert first_of(BaseExceptionGroup("tasks of the daemon", [inner, KeyboardInterrupt()])) is first


def test_an_error_that_came_alone_stays_itself() -> None:
    alone = Invalid("name-invalid", "no name")
    assert first_of(alone) is alone
