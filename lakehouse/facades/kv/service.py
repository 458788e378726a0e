# SPDX-License-Identifier: Apache-2.0
"""Values by key: read, write, delete and list them, in the repositories of an account.

A value is an object on the staging area of its repository's default branch, and is read, written and permitted like any
other. What is temporary is gone from the moment on that its time is over, whether or not it was deleted already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth.checker import Checker
from lakehouse.core.errors import InvalidArgument, ObjectNotFound
from lakehouse.core.paths import parse_path, parse_prefix
from lakehouse.core.records import Entry, PathEntry, Repository
from lakehouse.core.signing import decode, encode
from lakehouse.facades.kv import accounts
from lakehouse.format.entry import unpack
from lakehouse.versioning.lake import Lake
from lakehouse.versioning.objects import listing, lookup, objects, writing
from lakehouse.wire.kv import PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from lakehouse.core.ids import EntryPath
    from lakehouse.core.records import User
    from lakehouse.facades.kv.accounts import Storage

DAY = 86_400


class Values(msgspec.Struct, frozen=True, eq=False):
    """The engine, who may use it, and for how many seconds temporary values are kept."""

    lake: Lake
    checker: Checker
    kept: int = 7 * DAY

    def is_over(self, kind: str, entry: Entry) -> bool:
        """Whether a value's time is over."""
        return kind == accounts.TEMPORARY and entry.mtime + self.kept <= self.lake.now


class Value(msgspec.Struct, frozen=True):
    """An entry, and the repository that it is of."""

    repository: Repository
    entry: Entry


class Keys(msgspec.Struct, frozen=True):
    """A page of keys in order; `more` is where the next one begins, "" when there is none."""

    keys: list[str]
    more: str = ""


async def find_value(values: Values, user: User, kind: str, key: str) -> Value:
    """What is stored at a key. Raises ObjectNotFound, InsufficientPermissions, InvalidArgument."""
    where = await _allowed(values, user, kind, key, action="fs:ReadObject")
    repository, path = _readable(where, key)
    shown = await lookup.on_branch(values.lake, repository.name, repository.default_branch, path)
    entry = None if shown.packed is None else unpack(shown.packed)
    if entry is None or values.is_over(kind, entry):
        raise _missing(kind, key)
    return Value(shown.repository, entry)


async def require_readable(values: Values, user: User, kind: str, key: str) -> None:
    """Raises InsufficientPermissions; MissingValue, InvalidPath for what can be no key."""
    parse_path(key)
    await _allowed(values, user, kind, key, action="fs:ReadObject")


async def require_writable(values: Values, user: User, kind: str, key: str) -> None:
    """As `require_readable`. Nothing is made."""
    parse_path(key)
    await _allowed(values, user, kind, key, action="fs:WriteObject")


async def set_value(
    values: Values,
    user: User,
    kind: str,
    key: str,
    body: AsyncIterable[bytes],
    *,
    size: int | None,
    content_type: str,
) -> Entry:
    """Store a value in place of what is there, all of it or nothing; the first one makes the repository.

    `size` in bytes, None when it is not known. Raises InsufficientPermissions, MissingValue, InvalidPath,
    IncompleteBody, ProtectedBranch, StorageFull.
    """
    path = parse_path(key)
    where = await _allowed(values, user, kind, key, action="fs:WriteObject")
    repository = where.repository or await accounts.made(values.lake, user, kind)
    place = await writing.target(values.lake, repository.name, repository.default_branch, path)
    return await writing.write(values.lake, place, body, size=size, content_type=content_type, metadata={})


async def delete_value(values: Values, user: User, kind: str, key: str) -> None:
    """Raises ObjectNotFound when nothing is stored there, InsufficientPermissions, ProtectedBranch."""
    where = await _allowed(values, user, kind, key, action="fs:DeleteObject")
    repository, path = _readable(where, key)
    try:
        await objects.remove_object(
            values.lake,
            repository.name,
            repository.default_branch,
            path,
            unless=lambda entry: values.is_over(kind, entry),
        )
    except ObjectNotFound as error:
        raise _missing(kind, key) from error


async def list_keys(values: Values, user: User, kind: str, *, prefix: str, after: str) -> Keys:
    """Up to a page of keys that begin with `prefix`; `after` is `more` of the page before.

    Raises InsufficientPermissions, InvalidArgument, InvalidPath.
    """
    begin = parse_prefix(prefix)
    place = b"" if not after else decode(after)
    if place is None:
        raise InvalidArgument("X-NEXT: not what the page before said: invalid value: validation error")
    where = await accounts.find(values.lake, user, kind)
    values.checker.authorize(user, "fs:ListObjects", f"repository/{where.name}")
    if where.repository is None:
        return Keys([])
    return await _page(values, where.repository, kind, prefix=begin, after=place)


async def _page(values: Values, repository: Repository, kind: str, *, prefix: bytes, after: bytes) -> Keys:
    """A full page where there is one: clients that ask for a single page are not told that there are others."""
    keys: list[str] = []
    while True:
        query = listing.Query(prefix, after, amount=PAGE - len(keys))
        _, page = await listing.list_objects(values.lake, repository.name, repository.default_branch, query)
        for item in page.items:
            if isinstance(item, PathEntry):
                after = item.path
                if not values.is_over(kind, item.entry):
                    keys.append(item.path.decode())
        if not page.has_more or len(keys) == PAGE:
            return Keys(keys, encode(after) if page.has_more else "")


async def _allowed(values: Values, user: User, kind: str, key: str, *, action: str) -> Storage:
    """Where the values are, if the user may do this to the key."""
    where = await accounts.find(values.lake, user, kind)
    values.checker.authorize(user, action, f"repository/{where.name}/object/{key}")
    return where


def _readable(where: Storage, key: str) -> tuple[Repository, EntryPath]:
    """The place of a key at which something may be. Raises ObjectNotFound, InvalidPath."""
    if where.repository is None or not key:
        raise _missing(where.kind, key)
    return where.repository, parse_path(key)


def _missing(kind: str, key: str) -> ObjectNotFound:
    return ObjectNotFound(f"nothing is stored at key {key!r} of storage type {kind!r}")
