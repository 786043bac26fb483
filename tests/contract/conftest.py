"""The promises of storage are asked by several files: their assertions say as much as those of a test."""

import pytest

pytest.register_assert_rewrite(*(f"tests.contract.storage_{each}" for each in ("bench", "deeds", "promises")))
