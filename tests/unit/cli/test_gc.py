# SPDX-License-Identifier: Apache-2.0
"""`lakehouse gc` on a data directory."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lakehouse.cli.main import main
from lakehouse.config.model import Config
from lakehouse.core.paths import parse_path
from lakehouse.server.lake import opened_lake
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository


@pytest.fixture
def data(tmp_path, monkeypatch):
    import asyncio

    for name in list(__import__("os").environ):
        if name.startswith("LAKEHOUSE_") and not name.startswith("LAKEHOUSE_TEST"):
            monkeypatch.delenv(name)

    async def fill() -> None:
        async with opened_lake(Config(data=str(tmp_path))) as lake:
            for name in ("one", "two"):
                await create_repository(lake, RepositoryRequest(name=name))
            for body in (b"lost", b"kept"):
                await objects.upload_object(lake, "one", "main", objects.Upload(parse_path("a")), body)

    asyncio.run(fill())
    return str(tmp_path)


def test_reports_as_text_and_as_json(data) -> None:
    shown = CliRunner().invoke(main, ["gc", "--data", data, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("one: 0 would be deleted")
    assert "1 are too young" in shown.output
    shown = CliRunner().invoke(main, ["gc", "--data", data, "--json", "one"])
    report = json.loads(shown.output)
    assert (report["repository"], report["young"], report["listed"], report["dry_run"]) == ("one", 1, 2, False)
    shown = CliRunner().invoke(main, ["gc", "--data", data, "--forget"])
    assert (shown.exit_code, shown.output) == (0, "")


def test_a_repository_that_is_not_there(data) -> None:
    from lakehouse.cli.main import exit_code

    assert exit_code(["gc", "--data", data, "none"]) == 1
