# SPDX-License-Identifier: Apache-2.0
"""A whole server over real HTTP on loopback, in a thread of its own: repositories as buckets, for foreign clients."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import msgspec
import uvicorn

from lakehouse.config.model import Config, Secret
from lakehouse.server.app import Application
from lakehouse.server.start import first_start

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

KEY = "AKIAJTESTTESTTESTTEQ"
SECRET = "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"
T = TypeVar("T")
_numbers = itertools.count(1)


class ServedLake:
    """Where it listens, a client of its REST side, and what is added to its clock (seconds)."""

    def __init__(
        self, endpoint: str, application: Application, offset: list[float], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.endpoint = endpoint
        self.application = application
        self.offset = offset
        self._loop = loop
        self.rest = httpx2.Client(base_url=f"{endpoint}/api/v1", auth=(KEY, SECRET), trust_env=False)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns that runs inside of the server."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def repository(self, **fields) -> str:
        """A new one; its name."""
        name = f"repo{next(_numbers):04}"
        self.post("/repositories", {"name": name, **fields})
        return name

    def post(self, path: str, body: object) -> dict:
        answer = self.rest.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else {}

    def commit(self, repository: str, branch: str = "main", message: str = "m") -> str:
        """Commit what is staged; the commit's id."""
        return self.post(f"/repositories/{repository}/branches/{branch}/commits", {"message": message})["id"]

    def branch(self, repository: str, name: str, source: str = "main") -> None:
        self.post(f"/repositories/{repository}/branches", {"name": name, "source": source})

    def stat(self, repository: str, ref: str, path: str) -> dict:
        """What REST says of an object."""
        answer = self.rest.get(f"/repositories/{repository}/refs/{ref}/objects/stat", params={"path": path})
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def served_lake(folder: Path, **settings) -> Iterator[ServedLake]:
    """Serve a lake in `folder` until the block ends."""
    offset = [0.0]

    def clock() -> float:
        return time.time() + offset[0]

    base = Config(data=str(folder), admin_access_key_id=KEY, admin_secret_access_key=Secret(SECRET))
    config = msgspec.structs.replace(base, **settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ready = threading.Event()
    servers: list[uvicorn.Server] = []
    applications: list[Application] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        await first_start(config, clock=clock)
        application = Application(config, clock=clock)
        await application.start()
        applications.append(application)
        loops.append(asyncio.get_running_loop())
        options = uvicorn.Config(
            application, lifespan="off", log_level="warning", http="httptools", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(options)
        server.install_signal_handlers = lambda: None
        servers.append(server)
        ready.set()
        await server.serve(sockets=[listener])
        await application.stop()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="served lake")
    thread.start()
    assert ready.wait(20)
    lake = ServedLake(f"http://127.0.0.1:{listener.getsockname()[1]}", applications[0], offset, loops[0])
    try:
        yield lake
    finally:
        lake.rest.close()
        servers[0].should_exit = True
        thread.join(20)
        listener.close()
