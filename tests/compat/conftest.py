# SPDX-License-Identifier: Apache-2.0
"""One server for all foreign clients of a test process; each check makes repositories of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.running import RunningServer, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("lake")) as running:
        yield running
    assert "Traceback" not in running.output, running.output
