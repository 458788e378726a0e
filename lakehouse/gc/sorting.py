# SPDX-License-Identifier: Apache-2.0
"""Sets of byte strings of any size, in bounded memory: gathered in any order, read back in order, each once.

What does not fit goes to temporary files, sorted, and these are merged. Everything works in small steps, so that it
may run in a thread beside the event loop.
"""

from __future__ import annotations

import struct
import tempfile
from heapq import merge
from itertools import islice
from typing import IO, TYPE_CHECKING

import msgspec

from lakehouse.core.offload import PAGE, breathe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HELD = 200_000
"""Strings in memory."""
RUNS = 64
"""Files that are merged at once."""
_LENGTH = struct.Struct("<I")
_page = msgspec.msgpack.Decoder(list[bytes])


class SortedSet:
    """Feed pages with `add`, then read all with `pages`. `held` strings at most are in memory meanwhile."""

    def __init__(self, *, held: int = HELD) -> None:
        self._most = held
        self._held = 0
        self._pages: list[list[bytes]] = []
        self._runs: list[IO[bytes]] = []

    def add(self, values: Iterable[bytes]) -> None:
        """Put values in; pages of about a thousand are best."""
        page = sorted(set(values))
        if not page:
            return
        self._pages.append(page)
        self._held += len(page)
        if self._held >= self._most:
            self._spill()

    def pages(self) -> Iterator[list[bytes]]:
        """All values in bytewise order, each once, a page at a time."""
        values = _distinct(merge(*map(_read, self._runs), *self._pages))
        while page := list(islice(values, PAGE)):
            yield page
            breathe()

    def close(self) -> None:
        """Drop the temporary files."""
        for run in self._runs:
            run.close()
        self._runs, self._pages, self._held = [], [], 0

    def _spill(self) -> None:
        self._runs.append(_written(merge(*self._pages)))
        self._pages, self._held = [], 0
        if len(self._runs) >= RUNS:
            together = _written(merge(*map(_read, self._runs)))
            for run in self._runs:
                run.close()
            self._runs = [together]


def _written(values: Iterator[bytes]) -> IO[bytes]:
    """A temporary file with the values, which ascend, each once."""
    run: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by the set)
    distinct = _distinct(values)
    while page := list(islice(distinct, PAGE)):
        packed = msgspec.msgpack.encode(page)
        run.write(_LENGTH.pack(len(packed)) + packed)
        breathe()
    return run


def _read(run: IO[bytes]) -> Iterator[bytes]:
    """The values of a file. Several may read, one after the other."""
    run.seek(0)
    while head := run.read(_LENGTH.size):
        yield from _page.decode(run.read(_LENGTH.unpack(head)[0]))


def _distinct(values: Iterable[bytes]) -> Iterator[bytes]:
    last = None
    for value in values:
        if value != last:
            yield value
        last = value
