# SPDX-License-Identifier: Apache-2.0
"""The page about buckets of the neuro platform is what happens: its examples run in order and print what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakehouse.wire.buckets import OPERATIONS
from tests.docs.examples import HOWTO, NEEDS_BASH, NEEDS_CURL, check_foreign, check_page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = HOWTO / "neuro.md"
FOREIGN = "import apolo_sdk"
"""In the example that runs where the published client is installed."""


@NEEDS_CURL
@NEEDS_BASH
def test_examples(tmp_path: Path) -> None:
    check_page(PAGE.read_text(), tmp_path, foreign=FOREIGN)


@pytest.mark.xdist_group("apolo")
def test_the_example_for_the_published_clients(tmp_path: Path) -> None:
    check_foreign(PAGE.read_text(), tmp_path, foreign=FOREIGN, environment="apolo")


def test_every_request_is_in_the_table() -> None:
    rows = [f"| `{one.method} {one.path}` | {one.summary} |" for one in OPERATIONS]
    assert [line for line in PAGE.read_text().splitlines() if line.startswith(("| `GET", "| `P", "| `D"))] == rows
