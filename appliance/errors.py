"""Errors a user can act on: a stable code, a sentence, a hint. Translated to HTTP or exit codes at one edge. Pure."""


class ApplianceError(Exception):
    """Something went wrong that has a name.

    ``code`` is machine-readable and stable (kebab-case), ``message`` says what happened and where,
    ``hint`` what to do next. ``field`` names the input that was wrong, if one was.
    """

    def __init__(self, code: str, message: str, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.field = field


class Invalid(ApplianceError):
    """The request itself is wrong; repeating it unchanged cannot succeed (HTTP 422)."""


class NotFound(ApplianceError):
    """What the request names does not exist (HTTP 404)."""


class Conflict(ApplianceError):
    """The request is well formed but the present state forbids it (HTTP 409)."""


class Denied(ApplianceError):
    """Who asks may not have this (HTTP 401 for a missing or wrong proof, 403 otherwise)."""


class TooEarly(ApplianceError):
    """Who asks may have this later, and is to ask again (HTTP 425)."""


def first_of(error: BaseException) -> BaseException:
    """The error that ended the rest, where tasks of a group have failed; any other as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
