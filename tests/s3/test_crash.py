# SPDX-License-Identifier: Apache-2.0
"""A process that is killed while it uploads: what it acknowledged is there, and nothing half written is."""

from __future__ import annotations

import hashlib

import pytest

from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location
from tests.crash.killed import killed
from tests.stored import stored

pytestmark = pytest.mark.anyio


async def test_kill_9(tmp_path, test_rounds, repository_root):
    # Of each key: the last acknowledged body, and those that were begun after it.
    acknowledged: dict[str, str] = {}
    begun: dict[str, set[str]] = {}
    for number in range(test_rounds):
        script = repository_root / "tests/s3/uploader.py"
        for line in killed(script, tmp_path / "store", after=20 + 37 * number):
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
