# SPDX-License-Identifier: Apache-2.0
"""An embedded store for a test."""

from __future__ import annotations

import pytest

from lakehouse.objects.local import open_local_store


@pytest.fixture
async def store(tmp_path):
    made = await open_local_store(tmp_path)
    yield made
    await made.close()
