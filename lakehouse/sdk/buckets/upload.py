# SPDX-License-Identifier: Apache-2.0
"""Bytes into blobs: whole ones in one request, larger ones in parts, a few of them at the same time.

Memory is bounded by the size of a part times their number, whatever the blob's size. A part that fails gives the whole
upload up, and nothing of it is left.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from lakehouse.core.errors import LakehouseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from lakehouse.sdk.buckets.s3 import S3Bucket

PART = 8 * 2**20
"""Bytes of a part; and of the largest file that goes in one request."""
AT_ONCE = 4
"""Parts of one blob that are under way."""
_MOST_PARTS = 10_000
_MIB = 2**20

Step: TypeAlias = "Callable[[int], object]"
"""Told how many bytes are there."""


def part_size(size: int) -> int:
    """Bytes of each part but the last, for a blob of `size` bytes."""
    least = -(-size // _MOST_PARTS)
    return max(PART, -(-least // _MIB) * _MIB)


async def put_file(bucket: S3Bucket, path: Path, key: str, *, size: int, step: Step) -> None:
    """Store a file that has `size` bytes. Raises OSError when it has fewer by now, or cannot be read."""
    if size <= PART:
        body = await asyncio.to_thread(_read, path, 0, size) if size > _MIB else _read(path, 0, size)
        await bucket.put(key, body)
        step(size)
        return
    width = part_size(size)

    async def parts() -> AsyncIterator[bytes]:
        for offset in range(0, size, width):
            yield await asyncio.to_thread(_read, path, offset, min(width, size - offset))

    await _put_parts(bucket, key, parts(), step=step)


async def put_stream(bucket: S3Bucket, key: str, pieces: AsyncIterator[bytes]) -> None:
    """Store what comes, of any length."""
    parts = _gathered(pieces)
    first = await anext(parts, b"")
    second = await anext(parts, None)
    if second is None:
        await bucket.put(key, first)
        return

    async def all_parts() -> AsyncIterator[bytes]:
        yield first
        yield second
        async for part in parts:
            yield part

    await _put_parts(bucket, key, all_parts(), step=lambda _: None)


async def _put_parts(bucket: S3Bucket, key: str, parts: AsyncIterator[bytes], *, step: Step) -> None:
    upload = await bucket.begin_parts(key)
    etags: dict[int, str] = {}
    done = 0
    free = asyncio.Semaphore(AT_ONCE)

    async def put(number: int, body: bytes) -> None:
        nonlocal done
        try:
            etags[number] = await bucket.put_part(key, upload, number, body)
        finally:
            free.release()
        done += len(body)
        step(done)

    try:
        async with asyncio.TaskGroup() as group:
            number = 0
            await free.acquire()
            async for body in parts:
                number += 1
                group.create_task(put(number, body))
                await free.acquire()
        await bucket.finish_parts(key, upload, [etags[one] for one in sorted(etags)])
    except BaseException as error:
        with suppress(LakehouseError):
            await bucket.drop_parts(key, upload)
        if isinstance(error, BaseExceptionGroup):
            raise first_of(error) from None
        raise


async def _gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in parts of `PART`, the last one shorter; nothing comes of nothing."""
    held = bytearray()
    async for piece in pieces:
        view = memoryview(piece)
        while view:
            room = PART - len(held)
            held += view[:room]
            view = view[room:]
            if len(held) == PART:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        found = os.pread(file.fileno(), size, offset)
        while len(found) < size:
            more = os.pread(file.fileno(), size - len(found), offset + len(found))
            if not more:
                raise OSError(f"{path} became shorter while it was uploaded")
            found += more
    return found


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that made a group of tasks end."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
