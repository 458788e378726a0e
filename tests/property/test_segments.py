# SPDX-License-Identifier: Apache-2.0
"""The embedded store beside a dictionary: whatever is put, deleted, copied, compacted and reopened, both show the same.

The account of the segments is compared with the rows after every step, and what lies on the disk at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lakehouse.core.errors import ContentDiffers, PreconditionFailed
from lakehouse.objects import local_compact, local_write, segments
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location, PutMode, Small
from lakehouse.objects.segment_index import DEAD_STAYS, MOVED_STAYS, weight
from tests.lakes import Hands
from tests.stored import segments as segments_of
from tests.stored import stored

key_of = st.sampled_from([f"k{number}" for number in range(8)])
keys_of = st.lists(key_of, max_size=6)
size_of = st.sampled_from([0, 1, 100, 150, 300])
"""The last one is too long for a record."""


class Store(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.clock = Hands()
        self.model: dict[str, bytes] = {}
        self.number = 0
        self.patches = [
            patch.object(segments, "SEGMENT", 1000),
            patch.object(local_write, "RECORD", 200),
            patch.object(local_compact, "PAGE_BYTES", 200),
            patch.object(local_compact, "LONGEST_PAUSE", 0),
        ]
        for one in self.patches:
            one.start()
        self.open()

    def run(self, work):
        return self.loop.run_until_complete(work)

    def open(self) -> None:
        self.store = self.run(open_local_store(self.folder, clock=self.clock))
        self.run(self.store._files.settle())

    def body(self, size: int) -> bytes:
        self.number += 1
        return (b"%06d" % self.number * 60)[:size]

    @rule(key=key_of, size=size_of)
    def put(self, key, size):
        self.clock.now += 1
        self.model[key] = self.body(size)
        self.run(self.store.put(Location("b", key), self.model[key]))

    @rule(key=key_of, size=size_of, mode=st.sampled_from([PutMode.CREATE, PutMode.ONCE]), same=st.booleans())
    def put_unless_there(self, key, size, mode, same):
        self.clock.now += 1
        body = self.model[key] if same and key in self.model else self.body(size)
        try:
            self.run(self.store.put(Location("b", key), body, mode=mode))
        except PreconditionFailed:
            assert key in self.model
            assert mode is PutMode.CREATE
        except ContentDiffers:
            assert self.model[key] != body
        else:
            assert self.model.setdefault(key, body) == body

    @rule(keys=keys_of, size=size_of)
    def put_batch(self, keys, size):
        self.clock.now += 1
        bodies = [(key, self.body(size)) for key in keys]
        made = [Small(Location("b", key), body, hashlib.md5(body).hexdigest()) for key, body in bodies]
        self.run(self.store.put_batch(made))
        self.model.update((one.location.key, one.body) for one in made)

    @rule(keys=keys_of)
    def delete(self, keys):
        self.run(self.store.delete([Location("b", key) for key in keys]))
        for key in keys:
            self.model.pop(key, None)

    @rule(source=key_of, key=key_of)
    def copy(self, source, key):
        self.clock.now += 1
        if source in self.model:
            self.run(self.store.copy(Location("b", source), Location("b", key)))
            self.model[key] = self.model[source]

    @rule(later=st.sampled_from([0, MOVED_STAYS + 1, DEAD_STAYS + 1]))
    def compact(self, later):
        self.clock.now += later
        self.run(self.store.compact())

    @rule()
    def reopen(self):
        self.run(self.store.close())
        self.open()

    @rule()
    def die(self):
        """As after a kill: nothing is closed or cut."""
        self.run(self.store._files.settle())
        self.store._files.segments._current = None
        self.store._process.doubtful = True
        self.run(self.store.close())
        self.open()

    @invariant()
    def same_objects(self):
        self.run(self.store._files.settle())
        lines, _ = self.run(self.store.list("b"))
        assert [line.key for line in lines] == sorted(self.model)
        for key, body in self.model.items():
            assert self.run(self.run(self.store.get(Location("b", key))).read()) == body

    @invariant()
    def same_account(self):
        rows = self.store._index.all("select file, size from objects where file like '%-s-%'", ())
        want: dict[str, list[int]] = {}
        for file, size in rows:
            want.setdefault(file, []).append(size)
        got = self.store._index.all("select file, live, weight, total from segments where live > 0", ())
        assert {row[0]: row[1:3] for row in got} == {file: (len(sizes), weight(sizes)) for file, sizes in want.items()}
        assert all(row[3] is None or row[2] <= row[3] for row in got)

    def teardown(self):
        """At the end everything can be given back, and a lost index does not bring back what was deleted."""
        try:
            for _ in range(4):  # what was moved may be moved again, when its new segment has been closed for its age
                self.run(self.store.compact())
                self.run(self.store._files.settle())  # a segment is closed in the background
                self.clock.now += MOVED_STAYS + 1
            self.run(self.store.close())
            assert len(stored(self.folder)) == len(self.model)
            for path in self.folder.glob("index.sqlite*"):
                path.unlink()
            self.open()
            self.same_objects()
            self.same_account()
            self.run(self.store.delete([Location("b", key) for key in self.model]))
            self.run(self.store.close())
            assert segments_of(self.folder) == []
            assert stored(self.folder) == []
        finally:
            for one in self.patches:
                one.stop()
            self.loop.close()
            shutil.rmtree(self.folder)


def test_the_store_is_a_dictionary():
    run_state_machine_as_test(
        Store, settings=settings(stateful_step_count=20, max_examples=settings().max_examples // 6)
    )
