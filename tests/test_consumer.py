"""The consumer and the format strings, by their unit tests in C: plain, and under the sanitizers."""

import plain
import pytest

pytestmark = pytest.mark.once


@pytest.mark.parametrize("sanitized", [False, True], ids=["plain", "sanitized"])
@pytest.mark.parametrize("name", ["format_test", "consumer_test"])
def test_unit(tmp_path, name, sanitized):
    assert plain.unit_test(tmp_path, name, ["program", "engine", "consumer"], sanitized) == ("", 0)
