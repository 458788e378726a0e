# SPDX-License-Identifier: Apache-2.0
"""The pages about Flyte are what happens: their examples run as they stand, after the line that says where to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.examples import HOWTO, NEEDS_BASH, NEEDS_CURL, check_page

if TYPE_CHECKING:
    from pathlib import Path


@NEEDS_CURL
@NEEDS_BASH
@pytest.mark.parametrize("name", ["flyte-cache.md", "flyte-client.md", "flyte-storage.md"])
def test_examples(tmp_path: Path, name: str) -> None:
    check_page((HOWTO / name).read_text(), tmp_path)
