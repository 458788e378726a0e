# SPDX-License-Identifier: Apache-2.0
"""The list of actions, the table of operations and the reference page say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.auth.actions import ACTIONS, KNOWN, domain_of
from lakehouse.wire.operation import Access
from lakehouse.wire.table import OPERATIONS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "permissions.md").read_text()
ROW = re.compile(r"^\| `(?P<operation>\w+)` \| (?P<needs>.+?) \|$", re.MULTILINE)
ROWS = {match["operation"]: match["needs"] for match in ROW.finditer(PAGE)}
WORDS = {Access.NOBODY_ASKED: "nothing", Access.AUTHENTICATED: "any known user"}


def test_every_action_is_listed() -> None:
    for service, names in ACTIONS.items():
        for name in names:
            assert f"| `{service}:{name}` |" in PAGE, f"docs/reference/permissions.md lacks {service}:{name}"
    assert set(re.findall(r"^\| `(\w+:\w+)` \|", PAGE, re.MULTILINE)) == KNOWN


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_says_what_it_needs(operation) -> None:
    if isinstance(operation.allow, tuple):
        assert {permission.action for permission in operation.allow} <= KNOWN
        expected = ", ".join(f"`{one.action}` on `{one.resource}`" for one in operation.allow)
    else:
        expected = WORDS.get(operation.allow)
    found = ROWS.get(operation.name)
    assert found is not None, f"docs/reference/permissions.md has no row for {operation.name}: {expected}"
    if expected is not None:
        assert found == expected or found.startswith(f"{expected}, and then ")
    else:
        assert set(re.findall(r"`(\w+:\w+)`", found)) <= KNOWN
        assert "`" in found


def test_no_row_is_of_an_operation_that_is_not_there() -> None:
    assert set(ROWS) == {operation.name for operation in OPERATIONS}


def test_domains() -> None:
    assert domain_of("auth:ReadUser") == "auth"
    assert {domain_of(f"{service}:X") for service in ACTIONS if service != "auth"} == {"fs"}
