"""What several files ask of drivers: its assertions say as much as those of a test."""

import pytest

pytest.register_assert_rewrite("tests.contract.refusal")
pytest.register_assert_rewrite(*(f"tests.contract.storage_{each}" for each in ("bench", "deeds", "promises")))
