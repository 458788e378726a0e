# SPDX-License-Identifier: Apache-2.0
"""Lasting key pairs that are narrowed to some repositories: for programs that shall reach a few buckets only.

They are key pairs of their user like any others: listed, encrypted, revoked and deleted with the user in the same
places. What they are narrowed to holds on every surface, and they make neither login tokens nor sessions, which would
not be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth import scopes
from lakehouse.auth.credentials import decrypt, encrypt, generate_pair
from lakehouse.core.errors import AlreadyExists, CredentialsNotFound, InsufficientPermissions, UserNotFound
from lakehouse.core.records import Credentials, PolicyStatement
from lakehouse.meta import credentials as rows
from lakehouse.meta import policies, users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakehouse.auth.directory import Directory
    from lakehouse.core.records import User

_statements = msgspec.json.Decoder(list[PolicyStatement])


async def create(directory: Directory, user: User, repositories: Iterable[str], *, read_only: bool) -> Credentials:
    """A new pair of `user` for these repositories.

    Raises InvalidName, InvalidArgument (no repository), UserNotFound, and InsufficientPermissions for a user who came
    by a narrowed key.
    """
    if user.session or user.scope:
        raise InsufficientPermissions("insufficient permissions: a narrowed key makes no other keys")
    held = msgspec.structs.replace(user, scope=scopes.as_text(scopes.on_buckets(repositories, read_only=read_only)))
    pair = Credentials(*generate_pair(), held, directory.now)
    await directory.db.apply(
        policies.touch(),
        users.require(user.id, otherwise=UserNotFound()),
        rows.insert(encrypt(directory.ring, pair), otherwise=AlreadyExists()),
    )
    return pair


async def find(directory: Directory, user: User, access_key_id: str) -> Credentials:
    """A pair of `user`, with its secret. Raises CredentialsNotFound, also for pairs that are not narrowed."""
    return _opened(directory, await _row(directory, user, access_key_id))


async def renew(
    directory: Directory, user: User, access_key_id: str, repositories: Iterable[str], *, read_only: bool
) -> None:
    """Narrow a pair to other repositories; counts at once. Raises InvalidName, InvalidArgument, CredentialsNotFound."""
    scope = scopes.as_text(scopes.on_buckets(repositories, read_only=read_only))
    await _row(directory, user, access_key_id)
    await directory.change(rows.set_scope(access_key_id, user.id, scope, otherwise=CredentialsNotFound()))


async def revoke(directory: Directory, user: User, access_key_id: str) -> None:
    """Make a pair void, at once and everywhere. Raises CredentialsNotFound."""
    await _row(directory, user, access_key_id)
    await directory.change(rows.delete(access_key_id, user.id, otherwise=CredentialsNotFound()))


def statements_of(pair: Credentials) -> list[PolicyStatement]:
    """What a pair is narrowed to."""
    return _statements.decode(pair.user.scope) if pair.user.scope else []


async def _row(directory: Directory, user: User, access_key_id: str) -> rows.Stored:
    found = await rows.by_access_key(directory.db, access_key_id)
    if found is None or found.user.id != user.id or not found.user.scope:
        raise CredentialsNotFound
    return found


def _opened(directory: Directory, row: rows.Stored) -> Credentials:
    found = decrypt(directory.ring, row)
    if found is None:
        raise CredentialsNotFound
    return found
