# SPDX-License-Identifier: Apache-2.0
"""Mixed traffic: no wrong answer, no leaked file or connection; for ten minutes also no growth of memory."""

from __future__ import annotations

import pytest

from tests.endurance import MOST_GROWTH, endure


@pytest.mark.parametrize("workers", [1, 2])
def test_seconds(tmp_path, workers):
    report = endure(tmp_path, seconds=4, workers=workers, writing=6, reading=4)
    assert report.failures == []
    assert report.after.files <= report.before.files + 4 * workers  # threads that read came to life, each with a file
    assert report.written["link"] > 0
    assert report.written["commit"] > 0  # every writer commits after its second object
    assert report.read > 0


@pytest.mark.deep
def test_ten_minutes(tmp_path):
    report = endure(tmp_path, seconds=600, workers=2)
    assert report.failures == []
    assert report.growth <= MOST_GROWTH
    assert report.after.files <= report.before.files
