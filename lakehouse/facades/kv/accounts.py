# SPDX-License-Identifier: Apache-2.0
"""Which repository holds an account's values of a storage type: found, or made on first use.

It is `descartes-TYPE-NAME` for a user whose name repository names allow, so that one policy with `${user}` serves
everybody; else `descartes-TYPE--ID`, with the user's number. What is in the way under the first name (somebody else's
repository, or that of a former user of the same name) is never taken: then it is the second. Its metadata says whose
it is and what for, which is how it is told from others and back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from lakehouse.core.errors import InvalidArgument, RepositoryExists, RepositoryNotFound
from lakehouse.core.ids import UserId
from lakehouse.core.marks import PLAIN
from lakehouse.core.records import Repository
from lakehouse.versioning import resolve
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.work import auto_commit
from lakehouse.wire.kv import STORAGE_TYPES

if TYPE_CHECKING:
    from lakehouse.core.records import User
    from lakehouse.versioning.lake import Lake

PREFIX: Final = "descartes-"
ACCOUNT: Final = "lakehouse.descartes-account"
"""Key of a repository's metadata: the number of the user whose values it holds."""
STORAGE_TYPE: Final = "lakehouse.descartes-type"
TEMPORARY: Final = "tmp"
"""The storage type whose values go by themselves."""
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_MOST = 63
_TRIES = 3


class Storage(msgspec.Struct, frozen=True):
    """Where values of an account and a storage type are; `repository` None: nothing was stored yet."""

    kind: str
    name: str
    repository: Repository | None


class Owner(msgspec.Struct, frozen=True):
    """Whose values a repository holds, and of which storage type."""

    account: UserId
    kind: str


def check_type(kind: str) -> str:
    """`kind`, if it is a storage type. Raises InvalidArgument."""
    if kind not in STORAGE_TYPES:
        raise InvalidArgument(f"storage type {kind!r}: unknown; use one of {', '.join(STORAGE_TYPES)}")
    return kind


def names(user: User, kind: str) -> tuple[str, ...]:
    """The names that the repository may have, the preferred one first."""
    by_number = f"{PREFIX}{kind}--{user.id}"
    by_name = f"{PREFIX}{kind}-{user.name}"
    if len(by_name) <= _MOST and _PLAIN_NAME.fullmatch(user.name):
        return by_name, by_number
    return (by_number,)


def owner(repository: Repository) -> Owner | None:
    """Whose it is; None when it is no repository of this kind."""
    account, kind = repository.metadata.get(ACCOUNT, ""), repository.metadata.get(STORAGE_TYPE, "")
    if not account.isdecimal() or kind not in STORAGE_TYPES:
        return None
    return Owner(UserId(int(account)), kind)


async def find(lake: Lake, user: User, kind: str) -> Storage:
    """Where the values are. Raises InvalidArgument for an unknown type, RepositoryInDeletion, RepositoryExists."""
    free = ""
    for name in names(user, check_type(kind)):
        there = await _at(lake, name)
        if there is not None and owner(there) == Owner(user.id, kind):
            return Storage(kind, name, there)
        if there is None and not free:
            free = name
    if not free:
        raise RepositoryExists(
            f"the repositories {' and '.join(names(user, kind))} are in the way of this account's storage: they hold "
            "something else; rename or delete one of them"
        )
    return Storage(kind, free, None)


async def made(lake: Lake, user: User, kind: str) -> Repository:
    """The repository of the values, made if there is none. Of many at once, one makes it. Raises as `find`."""
    for _ in range(_TRIES):
        where = await find(lake, user, kind)
        if where.repository is not None:
            return where.repository
        try:
            return await create_repository(lake, RepositoryRequest(where.name, metadata=marks_of(user, kind)))
        except RepositoryExists:
            continue
    raise RepositoryExists(f"storage type {kind}: its repository was made and deleted meanwhile; try again")


def marks_of(user: User, kind: str) -> dict[str, str]:
    """The metadata that a repository begins with. What goes by itself leaves no history."""
    found = {PLAIN: "true", ACCOUNT: str(user.id), STORAGE_TYPE: kind}
    return found if kind == TEMPORARY else found | {auto_commit.MARK: "true"}


async def _at(lake: Lake, name: str) -> Repository | None:
    try:
        return await resolve.repository(lake, name)
    except RepositoryNotFound:
        return None
