# SPDX-License-Identifier: Apache-2.0
"""Large answers over plain HTTP, straight from the socket into a file, in a thread: a tenth of the CPU of a stream of
small pieces through the event loop.

Only what the common way cannot do better comes here: no TLS, no proxy. Whatever is not a plain success is left to the
common way, which knows what to do about it.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, BinaryIO
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BUFFER = 2**20
LEAST = 8 * 2**20
"""Bytes from which on it is worth a thread."""


@dataclass(frozen=True)
class PlainRequest:
    """A GET, signed. `target` as it goes over the wire."""

    host: str
    port: int
    target: bytes
    headers: Mapping[str, str]


def is_direct(host: str) -> bool:
    """Whether plain HTTP to this host goes through no proxy."""
    return "http" not in getproxies() or bool(proxy_bypass(host))


async def receive(
    request: PlainRequest, file: BinaryIO, *, patience: float, step: Callable[[int], object]
) -> tuple[int, bool]:
    """Write the body of the answer at the place of `file`; how many bytes came, and whether that was all of them.

    `patience`: seconds to wait for each step. `step` is told in the loop how many bytes there are. (0, False) for an
    answer that is no success.
    """
    loop = asyncio.get_running_loop()
    stop = threading.Event()

    def told(done: int) -> None:
        loop.call_soon_threadsafe(step, done)

    work = loop.run_in_executor(None, _receive, request, file, patience, stop, told)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([work])  # the file is the caller's: nobody writes to it afterwards
        raise


def _receive(
    request: PlainRequest, file: BinaryIO, patience: float, stop: threading.Event, told: Callable[[int], object]
) -> tuple[int, bool]:
    done = 0
    connection = HTTPConnection(request.host, request.port, timeout=patience)
    try:
        connection.putrequest("GET", request.target.decode("ascii"), skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        if answer.status != (206 if "range" in request.headers else 200):
            return 0, False
        buffer = memoryview(bytearray(BUFFER))
        while not stop.is_set():
            count = answer.readinto(buffer)
            if not count:
                return done, not answer.length
            file.write(buffer[:count])
            done += count
            told(done)
    except (OSError, HTTPException) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # the disk's, not the network's
    finally:
        connection.close()
    return done, False
