"""What all answers to machines share: how an error is told, and the token that a request carries. Pure."""

from appliance.errors import ApplianceError, Denied, Invalid, NotFound, TooEarly


def status_of(error: ApplianceError) -> int:
    """The HTTP status of an error to a machine; ``web.problem`` has those for people and their programs."""
    match error:
        case NotFound():
            return 404
        case Denied():
            return 401 if error.code == "session-unknown" else 403
        case Invalid():
            return 422
        case TooEarly():
            return 425
    return 409 if error.code in ("stale-step", "state-forbids") else 503


def error_text(error: ApplianceError) -> str:
    """An error in a line: who reads it is a boot screen."""
    hint = f" ({error.hint})" if error.hint else ""
    return f"{error.code}: {error.message}{hint}\n"


def bearer(authorization: str) -> str | None:
    """The token in the header's value (RFC 6750), empty where it names none; None for another kind of proof."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
