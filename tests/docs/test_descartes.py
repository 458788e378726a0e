# SPDX-License-Identifier: Apache-2.0
"""The page about Descartes Labs Storage is what happens: its examples run in order and print what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.compat.environments import python_of
from tests.docs.examples import HOWTO, NEEDS_BASH, NEEDS_CURL, check_foreign, check_page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = HOWTO / "descartes.md"
FOREIGN = "descarteslabs.auth"
"""In the example that runs where the published client is installed."""


@NEEDS_CURL
@NEEDS_BASH
def test_examples(tmp_path: Path) -> None:
    check_page(PAGE.read_text(), tmp_path, foreign=FOREIGN)


@pytest.mark.deep
@pytest.mark.skipif(python_of("descartes") is None, reason="there is no Python 3.8 on this machine")
def test_the_example_for_the_published_client(tmp_path: Path) -> None:
    check_foreign(PAGE.read_text(), tmp_path, foreign=FOREIGN, environment="descartes")
