# SPDX-License-Identifier: Apache-2.0
"""What tests of the bucket client put into buckets and folders, and read back."""

from __future__ import annotations

from lakehouse.sdk.buckets import (
    URL,
    AbstractDeleteProgress,
    AbstractRecursiveFileProgress,
)


def local(path) -> URL:
    return URL(path.as_uri())


async def all_of(listing) -> list:
    async with listing as found:
        return [one async for one in found]


async def keys(buckets, uri, **options) -> list[str]:
    return [entry.key for entry in await all_of(buckets.list_blobs(uri, **options))]


async def content(buckets, bucket, key, offset=0) -> bytes:
    return b"".join(await all_of(buckets.fetch_blob(bucket.id, key, offset)))


async def put_all(buckets, bucket, *names) -> None:
    for name in names:
        await buckets.put_blob(bucket.id, name, name.encode())


def filled(folder, files: dict[str, bytes]):
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


class Told(AbstractRecursiveFileProgress, AbstractDeleteProgress):
    """Everything that was told, in order."""

    def __init__(self) -> None:
        self.calls = []

    def of(self, kind) -> list:
        return [data for name, data in self.calls if name == kind]

    def start(self, data):
        self.calls.append(("start", data))

    def step(self, data):
        self.calls.append(("step", data))

    def complete(self, data):
        self.calls.append(("complete", data))

    def enter(self, data):
        self.calls.append(("enter", data))

    def leave(self, data):
        self.calls.append(("leave", data))

    def fail(self, data):
        self.calls.append(("fail", data))

    def delete(self, data):
        self.calls.append(("delete", data))
