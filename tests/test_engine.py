"""The verifier and the engine, by their unit tests in C: plain, and under the sanitizers."""

import plain
import pytest

pytestmark = pytest.mark.once


@pytest.mark.parametrize("sanitized", [False, True], ids=["plain", "sanitized"])
def test_unit(tmp_path, sanitized):
    assert plain.unit_test(tmp_path, "engine_test", ["program", "engine"], sanitized) == ("", 0)
