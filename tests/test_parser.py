"""The parser of D, by its unit tests in C: plain, and under the sanitizers where the compiler has them."""

import plain
import pytest

pytestmark = pytest.mark.once


@pytest.mark.parametrize("sanitized", [False, True], ids=["plain", "sanitized"])
def test_unit(tmp_path, sanitized):
    assert plain.unit_test(tmp_path, "parser_test", ["program", "dlang"], sanitized) == ("", 0)
