# SPDX-License-Identifier: Apache-2.0
"""CPU for each link of a batch: a whole server in this process, driven message by message, without sockets.

    python -m tests.bench.batches [--items 10000] [--rounds 7] [--profile]

Prints microseconds of CPU for each item, all threads together, the least and the median of several rounds.
"""

from __future__ import annotations

import argparse
import base64
import cProfile
import pstats
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any

import msgspec
import uvloop

from lakehouse.config.model import Config, Secret
from lakehouse.server.app import Application
from lakehouse.server.start import first_start
from tests.bench.server import API, link_of
from tests.running import KEY, SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

PIECE = 64 * 1024
"""Bytes of one message of a body: what a socket gives at once."""
MSGPACK = {"content-type": "application/msgpack"}


async def send(
    application: Application,
    method: str,
    path: str,
    body: bytes,
    *,
    query: bytes = b"",
    headers: Mapping[str, str] = MSGPACK,
) -> bytes:
    """The body of the answer, which must be good."""
    pair = base64.b64encode(f"{KEY}:{SECRET}".encode())
    sent = [(b"host", b"bench"), (b"authorization", b"Basic " + pair), (b"content-length", b"%d" % len(body))]
    sent += [(name.encode(), value.encode()) for name, value in headers.items()]
    pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)][::-1]
    status, out = 0, []

    async def receive() -> dict[str, Any]:
        piece = pieces.pop()
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def answer(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        out.append(message.get("body", b""))

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": API + path,
        "raw_path": (API + path).encode(),
        "query_string": query,
        "headers": sent,
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await application(scope, receive, answer)
    if status not in {200, 201}:
        raise SystemExit(f"{method} {path}: {status} {b''.join(out)[:200]!r}")
    return b"".join(out)


async def bodies(application: Application, repository: str, count: int, rounds: int) -> list[dict[str, bytes]]:
    """For each round, bodies of links by their form."""
    found = []
    for number in range(rounds):
        items = []
        for start in range(0, count, 10_000):
            paths = [f"round/{number:04}/part-{at:07}.parquet" for at in range(start, min(start + 10_000, count))]
            asked = msgspec.msgpack.encode({"paths": paths})
            answer = await send(application, "POST", f"{repository}/branches/main/staging/addresses", asked)
            items += [link_of(one) for one in msgspec.json.decode(answer)["results"]]
        found.append(
            {
                "MessagePack": b"".join(map(msgspec.msgpack.encode, items)),
                "NDJSON": b"\n".join(map(msgspec.json.encode, items)),
                "JSON": msgspec.json.encode(items),
            }
        )
    return found


async def run(folder: str, *, items: int, rounds: int, profile: bool) -> None:
    config = Config(data=folder, admin_access_key_id=KEY, admin_secret_access_key=Secret(SECRET))
    await first_start(config)
    application = Application(config)
    await application.start()
    try:
        await send(application, "POST", "/repositories", b'{"name": "batches"}', headers={})
        base = "/repositories/batches"
        for form in ("MessagePack", "NDJSON", "JSON"):
            for atomic in (b"true", b"false"):
                ready = await bodies(application, base, items, rounds)
                header = {"content-type": "application/msgpack"} if form == "MessagePack" else {}
                query = b"atomic=" + atomic
                profiler = cProfile.Profile() if profile else None
                costs = []
                for one in ready:
                    if profiler is not None:
                        profiler.enable()
                    before = time.process_time()
                    await send(
                        application,
                        "PUT",
                        f"{base}/branches/main/staging/links",
                        one[form],
                        query=query,
                        headers=header,
                    )
                    costs.append((time.process_time() - before) / items * 1e6)
                    if profiler is not None:
                        profiler.disable()
                name = f"{form}, {'atomic' if atomic == b'true' else 'per item'}"
                print(f"{name:<28} {min(costs):6.2f} us  median {statistics.median(costs):6.2f} us", flush=True)
                if profiler is not None:
                    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
            if profile:
                break
    finally:
        await application.stop()


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000, help="of each batch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="show where the loop's time goes, for MessagePack")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(run(folder, items=given.items, rounds=given.rounds, profile=given.profile))


if __name__ == "__main__":
    main()
