# SPDX-License-Identifier: Apache-2.0
"""The list of actions, the table of operations and the reference page say the same."""

from __future__ import annotations

from pathlib import Path

from lakehouse.api.permissions import reference_page
from lakehouse.auth.actions import ACTIONS, KNOWN, domain_of
from lakehouse.wire.operation import DYNAMIC
from lakehouse.wire.per_item import PER_ITEM
from lakehouse.wire.table import OPERATIONS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "permissions.md"


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == reference_page(), (
        "run: python -m lakehouse.api.permissions > docs/reference/permissions.md"
    )


def test_operations_ask_for_known_actions() -> None:
    tables = [operation.allow for operation in OPERATIONS if isinstance(operation.allow, tuple)]
    assert {one.action for allow in [*tables, *PER_ITEM.values()] for one in allow} <= KNOWN


def test_what_is_asked_item_by_item_is_named() -> None:
    assert {operation.name for operation in OPERATIONS if operation.allow is DYNAMIC} <= set(PER_ITEM)
    assert set(PER_ITEM) <= {operation.name for operation in OPERATIONS}


def test_domains() -> None:
    assert domain_of("auth:ReadUser") == "auth"
    assert {domain_of(f"{service}:X") for service in ACTIONS if service != "auth"} == {"fs"}
