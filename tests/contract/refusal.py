"""What drivers say that do not do something."""

from collections.abc import Awaitable

import pytest

from appliance.errors import ApplianceError


async def refused(code: str, call: Awaitable[object]) -> ApplianceError:
    """What was said; every refusal says what to do."""
    with pytest.raises(ApplianceError) as caught:
        await call
    assert caught.value.code == code, caught.value.message
    assert caught.value.message
    assert caught.value.hint
    return caught.value
