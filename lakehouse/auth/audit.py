# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what, only ever appended to, and such that a change of what is stored shows.

Each process writes a chain of its own, so that processes do not wait for each other; a link of the chain is a batch:
all events that came while the one before was written. The link's hash covers the root of its events' hashes and the
hash of the link before, under a key that the database does not hold: whoever changes, removes or inserts an event would
have to make all later links anew, and cannot. What was cut off at the end of a chain does not show by itself: compare
the heads with those noted earlier.

An event is queued before its request is answered, and stored moments later: a process that is killed loses what waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import msgspec

from lakehouse.auth import keys
from lakehouse.core.clock import Clock, system_clock
from lakehouse.core.errors import LakehouseError
from lakehouse.meta import audit as rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.auth.keys import KeyRing
    from lakehouse.db.port import Database

Level = Literal["off", "changes", "writes", "all"]
"""How much is recorded: nothing, all but objects, writes of these too, reads too."""
BATCH = 1000
"""Most events of a batch."""
MOST_WAITING = 100_000
"""Events that wait while the database cannot be written; more are counted and lost, and the log says so."""
PAUSE = 1.0
logger = logging.getLogger(__name__)


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was done or refused. `at` in milliseconds since 1970; `what`: the names in the request."""

    at: int
    actor: str
    operation: str
    status: int
    what: dict[str, str] = {}
    request: str = ""
    peer: str = ""
    session: bool = False


class AuditLog:
    """The chain of this process. `start` begins to write, `stop` writes what is left."""

    def __init__(self, db: Database, ring: KeyRing, *, clock: Clock = system_clock, chain: str | None = None) -> None:
        self._db = db
        self._ring = ring
        self._clock = clock
        self._chain = chain or f"{int(clock() * 1000):012x}-{secrets.token_hex(6)}"
        self._seq = 0
        self._previous = ""
        self._waiting: list[Event] = []
        self._lost = 0
        self._doubtful = False
        self._ending = asyncio.Event()
        self._some = asyncio.Event()
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @property
    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock() * 1000)

    def record(self, event: Event) -> None:
        """Queue an event. Never waits, never fails."""
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append(event)
        self._some.set()

    def start(self) -> None:
        """Write what is recorded from now on, in the background."""
        self._writer = asyncio.get_running_loop().create_task(self._write_for_ever())

    async def stop(self) -> None:
        """Write what is left, as far as the database takes it."""
        self._ending.set()
        self._some.set()
        if self._writer is not None:
            await self._writer
        try:
            await self.flush()
        except LakehouseError as error:
            logger.error("%d audit events were not stored: %s", len(self._waiting), error)  # noqa: TRY400

    async def flush(self) -> None:
        """Return when everything that was recorded before is stored. Raises DatabaseUnavailable."""
        async with self._writing:
            while self._waiting:
                await self._write(self._waiting[:BATCH])

    async def _write_for_ever(self) -> None:
        while not self._ending.is_set():
            await self._some.wait()
            self._some.clear()
            try:
                await self.flush()
            except LakehouseError as error:
                logger.warning("audit events wait to be stored: %s", error)
                self._some.set()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), PAUSE)

    async def _write(self, events: list[Event]) -> None:
        seq = self._seq + 1
        stored = [
            rows.Stored(
                rows.Key(event.at, self._chain, seq, number),
                event.actor,
                event.operation,
                msgspec.json.encode(event, order="deterministic").decode(),
            )
            for number, event in enumerate(events)
        ]
        root = merkle_root([one.document for one in stored])
        batch = rows.Batch(self._chain, seq, self.now, len(stored), root, "")
        key_id, key = self._ring.derive(keys.AUDIT)
        batch = msgspec.structs.replace(batch, hash=_link(key_id, key, batch, self._previous))
        if self._doubtful:
            there = await rows.find(self._db, self._chain, seq)
            if there is not None:
                self._stored(there)
                return
        self._doubtful = True
        await self._db.apply(*rows.append(batch, stored))
        self._stored(batch)

    def _stored(self, batch: rows.Batch) -> None:
        """A batch of the first events that wait is in the database."""
        self._seq, self._previous, self._doubtful = batch.seq, batch.hash, False
        del self._waiting[: batch.events]
        if self._lost:
            logger.error("%d audit events were lost while the database could not be written", self._lost)
            self._lost = 0


class Chain(msgspec.Struct, frozen=True):
    """What is stored of a chain; `head` is the hash of its last link."""

    name: str
    batches: int
    events: int
    head: str


class Report(msgspec.Struct, frozen=True):
    """What looking through the whole log found; it is whole when nothing is broken."""

    chains: tuple[Chain, ...]
    broken: tuple[str, ...]


async def verify(db: Database, ring: KeyRing) -> Report:
    """Check every link and every event. Reads the whole log, page by page."""
    chains: dict[str, Chain] = {}
    broken: list[str] = []
    async for batch in rows.batches(db):
        before = chains.get(batch.chain, Chain(batch.chain, 0, 0, ""))
        where = f"chain {batch.chain} batch {batch.seq}"
        if batch.seq != before.batches + 1:
            broken.append(f"{where}: {batch.seq - before.batches - 1} batches before it are missing")
        key_id = batch.hash.partition(":")[0]
        key = ring.find(key_id, keys.AUDIT)
        if key is None:
            broken.append(f"{where}: its key {key_id!r} is not configured, so it cannot be checked")
        elif not hmac.compare_digest(_link(key_id, key, batch, before.head).encode(), batch.hash.encode()):
            broken.append(f"{where}: it was changed, or the one before it is another")
        broken += _wrong(batch, await rows.events_of(db, batch), where)
        chains[batch.chain] = Chain(batch.chain, batch.seq, before.events + batch.events, batch.hash)
        await asyncio.sleep(0)
    stray = await rows.strays(db)
    if stray:
        broken.append(f"{stray} events belong to no batch")
    return Report(tuple(chains.values()), tuple(broken))


def _wrong(batch: rows.Batch, events: Sequence[rows.Stored], where: str) -> list[str]:
    """What does not fit between a batch and its events."""
    if len(events) != batch.events or merkle_root([one.document for one in events]) != batch.root:
        return [f"{where}: its events were changed"]
    found = []
    for one in events:
        said = msgspec.json.decode(one.document, type=Event)
        if (said.at, said.actor, said.operation) != (one.key.at, one.actor, one.operation):
            found.append(f"{where} event {one.key.number}: its columns were changed")
    return found


def merkle_root(documents: Sequence[str]) -> str:
    """The root of the hash tree over texts, in hex; leaves and inner nodes hash differently (RFC 6962), "" of none."""
    level = [hashlib.sha256(b"\0" + text.encode()).digest() for text in documents]
    while len(level) > 1:
        odd = [level[-1]] if len(level) % 2 else []
        level = [hashlib.sha256(b"\1" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)] + odd
    return level[0].hex() if level else ""


def _link(key_id: str, key: bytes, batch: rows.Batch, previous: str) -> str:
    covered = msgspec.json.encode([batch.chain, batch.seq, batch.at, batch.events, batch.root, previous])
    return f"{key_id}:{hmac.digest(key, covered, 'sha256').hex()}"
