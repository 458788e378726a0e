# SPDX-License-Identifier: Apache-2.0
"""The `if` of hooks."""

from __future__ import annotations

import pytest

from lakehouse.actions.condition import LONGEST, parse_condition
from lakehouse.core.errors import InvalidAction


@pytest.mark.parametrize(
    ("text", "after_success", "after_failure"),
    [
        ("", True, False),
        ("success()", True, False),
        (" failure() ", False, True),
        ("always()", True, True),
        ("true", True, True),
        ("false", False, False),
        ("!success()", False, True),
        ("not not success()", True, False),
        ("success() || failure()", True, True),
        ("success() && failure()", False, False),
        ("false && true || true", True, True),
        ("true || true && false", True, True),
        ("(true || true) && false", False, False),
        ("failure() and (false or true)", False, True),
    ],
)
def test_conditions(text, after_success, after_failure) -> None:
    condition = parse_condition(text)
    assert (condition(False), condition(True)) == (after_success, after_failure)


@pytest.mark.parametrize(
    "text",
    ["maybe()", "success", "true true", "(true", "true)", "&& true", "true ||", "!", "trueish", "(" * LONGEST + "("],
)
def test_what_is_no_condition(text) -> None:
    with pytest.raises(InvalidAction):
        parse_condition(text)
