# SPDX-License-Identifier: Apache-2.0
"""An S3 side over real HTTP on loopback, in a thread of its own, for foreign clients to talk to."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvicorn

from lakehouse.objects.local import open_local_store
from lakehouse.objects.presign import EmbeddedPresigner
from lakehouse.s3.app import S3App
from lakehouse.s3.context import Buckets, KeyRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakehouse.objects.port import Location

KEY, SECRET = "AKIATESTTESTTESTTEST", "secret-of-the-tests"
OTHER_KEY, OTHER_SECRET = "AKIAOTHEROTHEROTHER0", "secret-of-another"
INTERNAL_SECRET = "internal-secret"
BUCKET = "lake.local"


class Served(msgspec.Struct):
    """Where it listens; `offset` is added to its clock."""

    endpoint: str
    presigner: EmbeddedPresigner
    folder: Path
    offset: list[float]


async def _lookup(key: str) -> KeyRecord | None:
    return {
        KEY: KeyRecord(SECRET, "alice", may_use_physical=True),
        OTHER_KEY: KeyRecord(OTHER_SECRET, "bob", may_use_physical=False),
    }.get(key)


async def _write_once(location: Location) -> bool:
    return location.key.startswith("repo/data/")


@contextmanager
def served_s3(folder: Path, *, any_name: bool = False) -> Iterator[Served]:
    """Serve a local store in `folder` until the block ends."""
    import time

    offset = [0.0]

    def clock() -> float:
        return time.time() + offset[0]

    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ready = threading.Event()
    servers: list[uvicorn.Server] = []

    async def main() -> None:
        store = await open_local_store(folder)
        app = S3App(
            store,
            uploads=store.uploads,
            lookup_secret=_lookup,
            presign_secret=INTERNAL_SECRET,
            write_once=_write_once,
            buckets=Buckets((BUCKET, "two.local"), any_name=any_name),
            clock=clock,
        )
        config = uvicorn.Config(app, lifespan="off", log_level="warning", http="httptools", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        servers.append(server)
        ready.set()
        await server.serve(sockets=[listener])
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="served s3")
    thread.start()
    ready.wait(10)
    port = listener.getsockname()[1]
    presigner = EmbeddedPresigner(secret=INTERNAL_SECRET, clock=clock)
    try:
        yield Served(f"http://127.0.0.1:{port}", presigner, folder, offset)
    finally:
        servers[0].should_exit = True
        thread.join(20)
        listener.close()
