# SPDX-License-Identifier: Apache-2.0
"""CPU per request of route, validation and encoding, without authentication, network and handlers' work.

Run: `python tests/bench/dispatch.py`. Prints microseconds of CPU, the least of several rounds.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import uvloop

from lakehouse.api.errors import error_response
from lakehouse.asgi.dispatch import ApiApp
from lakehouse.core.records import User
from lakehouse.wire.objects import ObjectStats
from lakehouse.wire.staging import StagingLocation
from lakehouse.wire.table import OPERATIONS

STATS = ObjectStats(
    path="data/part-0001.parquet",
    physical_address="s3://lake.local/bench/1/data/0123456789abcdefghij",
    checksum="d41d8cd98f00b204e9800998ecf8427e",
    size_bytes=4096,
    mtime=1_700_000_000,
    metadata={},
    content_type="application/octet-stream",
)
LINK = (
    b'{"staging":{"physical_address":"s3://lake.local/bench/1/data/0123456789abcdefghij","token":"abcdefghijkl"},'
    b'"checksum":"d41d8cd98f00b204e9800998ecf8427e","size_bytes":4096,"content_type":"application/octet-stream"}'
)
HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"authorization", b"Basic QUtJQTpzZWNyZXQ="),
]
BACKING = "/api/v1/repositories/bench/branches/main/staging/backing"
REQUESTS: dict[str, tuple[str, str, bytes, bytes]] = {
    "health_check": ("GET", "/api/v1/healthcheck", b"", b""),
    "stat_object": ("GET", "/api/v1/repositories/bench/refs/main/objects/stat", b"path=data%2Fpart-0001.parquet", b""),
    "get_physical_address": ("GET", BACKING, b"path=data%2Fpart-0001.parquet&presign=true", b""),
    "link_physical_address": ("PUT", BACKING, b"path=data%2Fpart-0001.parquet", LINK),
}


async def answer(_context: object, call: Any) -> object:
    if call.operation.result is StagingLocation:
        return StagingLocation(
            physical_address="s3://lake.local/bench/1/data/0123456789abcdefghij", token="abcdefghijkl"
        )
    return STATS if call.operation.result is ObjectStats else None


async def known(_call: object) -> User:
    return USER


USER = User(id=1, name="bench", created=0)  # type: ignore[arg-type]


async def measure(app: ApiApp, request: tuple[str, str, bytes, bytes], *, count: int) -> float:
    method, path, query, body = request
    length = [(b"content-length", b"%d" % len(body))] if body else []
    message = {"type": "http.request", "body": body, "more_body": False}

    async def receive() -> dict[str, object]:
        return message

    async def send(_message: object) -> None:
        return None

    start = time.process_time()
    for _ in range(count):
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": HEADERS + length,
            "scheme": "http",
            "client": ("127.0.0.1", 1),
        }
        await app(scope, receive, send)
    return (time.process_time() - start) / count * 1e6


async def main() -> None:
    handlers = {operation.name: answer for operation in OPERATIONS}
    app = ApiApp(None, OPERATIONS, handlers, authenticate=known, authorize=None, errors=error_response)
    for name, request in REQUESTS.items():
        best = min([await measure(app, request, count=20_000) for _ in range(5)])
        print(f"{name:24} {best:6.2f} us")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
