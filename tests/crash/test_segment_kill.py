# SPDX-License-Identifier: Apache-2.0
"""Two processes that write, delete and compact in one folder, killed: all that was acknowledged is so, nothing else is
left, and an index that is lost on top is made again with nothing missing.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location
from lakehouse.objects.segment_record import is_segment
from tests.crash.killed import killed
from tests.stored import segments, stored

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
GONE = "-"


def two_killed(folder: Path, root: Path, after: int) -> list[str]:
    script, told = root / "tests/crash/segment_writer.py", list[list[str]]()
    threads = [
        threading.Thread(target=lambda name=name, n=n: told.append(killed(script, folder, name, after=n)))
        for name, n in (("a", after), ("b", after * 2))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 2
    return [line for lines in told for line in lines]


class Told:
    """Of each key what it may hold: what was acknowledged last, and what was begun after that."""

    def __init__(self) -> None:
        self.may: dict[str, set[str]] = {}

    def hear(self, lines: list[str]) -> None:
        for line in lines:
            word, key, digest = line.split()
            if word == "begin":
                self.may.setdefault(key, {GONE}).add(digest)
            else:
                self.may[key] = {digest}

    async def compare(self, store) -> dict[str, str]:
        """Raises when the store holds anything else; what it holds."""
        found = {}
        for line in (await store.list("lake.local", limit=100_000))[0]:
            body = await (await store.get(Location("lake.local", line.key))).read()
            found[line.key] = hashlib.md5(body).hexdigest()
            assert found[line.key] == line.info.etag
        for key, may in self.may.items():
            assert found.get(key, GONE) in may, key
        assert found.keys() <= self.may.keys()
        self.may = {key: {digest} for key, digest in found.items()}
        return found


async def rounds(tmp_path: Path, root: Path, number: int, writes: int) -> None:
    folder, told = tmp_path / "store", Told()
    for at in range(number):
        told.hear(two_killed(folder, root, writes + 37 * at))
        store = await open_local_store(folder)
        found = await told.compare(store)
        await store._files.settle()
        rows = store._index.all("select file, start from objects", ())
        retired = {name for (name,) in store._index.all("select file from retired", ())}
        open_ = store._index.all("select file from segments where total is null", ())
        accounts = dict(store._index.all("select file, live from segments", ()))
        await store.close()
        assert open_ == []
        assert sum(accounts.values()) == len(rows) == len(found)
        assert {path.name for path in segments(folder)} == accounts.keys() | retired
        left = [name for name in stored(folder) if name.partition("@")[0] not in retired]
        assert {f"{file}@{start}" for file, start in rows} <= set(left)
        assert [path.name for path in (folder / "processes").iterdir()] == ["compaction.lock"]
    # Deletes of what compaction had moved may come back, for a day; nothing may be missing.
    shutil.copytree(folder, tmp_path / "lost", ignore=shutil.ignore_patterns("index.sqlite*"))
    again = await open_local_store(tmp_path / "lost")
    for key, digest in found.items():
        body = await (await again.get(Location("lake.local", key))).read()
        assert hashlib.md5(body).hexdigest() == digest
    assert all(is_segment(path.name) for path in (tmp_path / "lost").glob("objects/*/*"))
    await again.close()


async def test_kill_9_beside_writers_and_compaction(tmp_path, test_rounds, repository_root):
    await rounds(tmp_path, repository_root, min(test_rounds, 3), 60)


@pytest.mark.deep
async def test_kill_9_for_long(tmp_path, test_rounds, repository_root):
    await rounds(tmp_path, repository_root, test_rounds, 400)
