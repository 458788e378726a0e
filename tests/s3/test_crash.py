# SPDX-License-Identifier: Apache-2.0
"""A process that is killed while it uploads: what it acknowledged is there, and nothing half written is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location
from tests.stored import stored

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def kill_in_the_middle(folder: Path, repository_root: Path, after: int) -> list[str]:
    """Lines of the uploader, which is killed after so many acknowledgements."""
    command = [sys.executable, str(repository_root / "tests/s3/uploader.py"), str(folder)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository_root) as process:
        for line in process.stdout:
            lines.append(line)
            after -= line.startswith("done ")
            if after == 0:
                process.kill()
        process.wait()
    return [line for line in lines if line.endswith("\n")]


async def test_kill_9(tmp_path, test_rounds, repository_root):
    # Of each key: the last acknowledged body, and those that were begun after it.
    acknowledged: dict[str, str] = {}
    begun: dict[str, set[str]] = {}
    for number in range(test_rounds):
        for line in kill_in_the_middle(tmp_path / "store", repository_root, 20 + 37 * number):
            word, key, digest = line.split()
            if word == "begin":
                begun.setdefault(key, set()).add(digest)
            else:
                acknowledged[key] = digest
                begun[key] = set()
        store = await open_local_store(tmp_path / "store")
        found, _ = await store.list("lake.local", limit=100_000)
        for line in found:
            reader = await store.get(Location("lake.local", line.key))
            assert hashlib.md5(await reader.read()).hexdigest() == line.info.etag
            assert line.info.etag in {acknowledged.get(line.key), *begun.get(line.key, ())}, line.key
            acknowledged[line.key] = line.info.etag
        assert set(acknowledged) == {line.key for line in found}
        begun.clear()
        await store.close()
        assert len(stored(tmp_path / "store")) == len(found)
        assert list((tmp_path / "store/processes").iterdir()) == []
