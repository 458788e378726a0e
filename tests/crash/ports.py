# SPDX-License-Identifier: Apache-2.0
"""Ports that die: the process ends, as far as the engine can tell, before or after the n-th call of a port."""

from __future__ import annotations


class Died(BaseException):
    """The power went off. No handler may catch it as a mere error."""


class Fuse:
    """Counts the calls that change something or read, over all ports; blows before or after call number `at`."""

    def __init__(self, at=None, *, after=False):
        self.at, self.after, self.calls, self.blown = at, after, 0, False

    async def around(self, call, *args, **options):
        if self.blown:
            raise Died
        self.calls += 1
        mine = self.calls == self.at
        if mine and not self.after:
            self.blown = True
            raise Died
        try:
            return await call(*args, **options)
        finally:
            if mine:
                self.blown = True
                raise Died


class DyingDatabase:
    """A Database whose every call goes over a fuse."""

    def __init__(self, db, fuse):
        self._db, self._fuse = db, fuse

    async def one(self, *args):
        return await self._fuse.around(self._db.one, *args)

    async def one_of_both(self, *args, **options):
        return await self._fuse.around(self._db.one_of_both, *args, **options)

    async def all(self, *args):
        return await self._fuse.around(self._db.all, *args)

    async def apply(self, *statements):
        return await self._fuse.around(self._db.apply, *statements)


class DyingStore:
    """An ObjectStore whose every call goes over a fuse."""

    def __init__(self, store, fuse):
        self._store, self._fuse = store, fuse

    async def get(self, *args, **options):
        return await self._fuse.around(self._store.get, *args, **options)

    async def head(self, *args, **options):
        return await self._fuse.around(self._store.head, *args, **options)

    async def put(self, *args, **options):
        return await self._fuse.around(self._store.put, *args, **options)

    async def copy(self, *args, **options):
        return await self._fuse.around(self._store.copy, *args, **options)

    async def delete(self, *args, **options):
        return await self._fuse.around(self._store.delete, *args, **options)

    def describe(self):
        return self._store.describe()


class DyingUploads:
    """A MultipartStore whose every call goes over a fuse."""

    def __init__(self, uploads, fuse):
        self._uploads, self._fuse = uploads, fuse

    async def complete(self, *args, **options):
        return await self._fuse.around(self._uploads.complete, *args, **options)

    async def abort(self, *args, **options):
        return await self._fuse.around(self._uploads.abort, *args, **options)
