# SPDX-License-Identifier: Apache-2.0
"""Users and their key pairs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lakehouse.auth.credentials import encrypt, generate_pair
from lakehouse.auth.directory import Directory, Window, page_of
from lakehouse.auth.setup import check_email
from lakehouse.core.errors import AlreadyExists, CredentialsNotFound, UserExists, UserNotFound
from lakehouse.core.ids import UserId, parse_user_name
from lakehouse.core.records import Credentials, Page, User
from lakehouse.meta import credentials as rows
from lakehouse.meta import groups, policies, users

if TYPE_CHECKING:
    from lakehouse.core.records import Group, Policy


async def list_users(directory: Directory, window: Window) -> Page[User]:
    """Users in order of their names."""
    fetch = partial(users.page, directory.db, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def create_user(directory: Directory, name: str, *, email: str = "", friendly_name: str = "") -> User:
    """A user who can do nothing yet. Raises InvalidName, InvalidArgument (email), UserExists."""
    parse_user_name(name)
    check_email(email)
    created = directory.now
    [[row]] = await directory.change(
        users.insert(name, email=email, friendly_name=friendly_name, created=created, otherwise=UserExists())
    )
    return User(UserId(row[0]), name, created, email, friendly_name)


async def delete_user(directory: Directory, name: str) -> None:
    """Remove a user; keys, tokens and memberships are void when this returns. Raises UserNotFound."""
    user = await directory.user(name)
    await directory.change(*users.delete(user.id, otherwise=UserNotFound()))


async def list_groups(directory: Directory, name: str, window: Window) -> Page[Group]:
    """The groups that a user is in. Raises UserNotFound."""
    user = await directory.user(name)
    fetch = partial(groups.of_user, directory.db, user.id, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def list_policies(directory: Directory, name: str, window: Window, *, effective: bool) -> Page[Policy]:
    """A user's own policies, or with `effective` all that count for the user. Raises UserNotFound."""
    user = await directory.user(name)
    read = policies.effective if effective else policies.of_user
    fetch = partial(read, directory.db, user.id, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


# -- key pairs ---------------------------------------------------------------------------------------------------------


async def list_credentials(directory: Directory, name: str, window: Window) -> Page[rows.Stored]:
    """A user's pairs by id, secrets still encrypted. Raises UserNotFound."""
    user = await directory.user(name)
    fetch = partial(rows.of_user, directory.db, user.id, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def create_credentials(directory: Directory, name: str) -> Credentials:
    """A new pair beside those that the user has; the only time that its secret is told. Raises UserNotFound.

    To rotate: make the new pair, put it where the old one is used, delete the old one.
    """
    user = await directory.user(name)
    pair = Credentials(*generate_pair(), user, directory.now)
    await directory.db.apply(
        policies.touch(),
        users.require(user.id, otherwise=UserNotFound()),
        rows.insert(encrypt(directory.ring, pair), otherwise=AlreadyExists()),
    )
    return pair


async def get_credentials(directory: Directory, name: str, access_key_id: str) -> rows.Stored:
    """A pair of this user, its secret still encrypted. Raises UserNotFound, CredentialsNotFound."""
    user = await directory.user(name)
    found = await rows.by_access_key(directory.db, access_key_id)
    if found is None or found.user.id != user.id:
        raise CredentialsNotFound
    return found


async def delete_credentials(directory: Directory, name: str, access_key_id: str) -> None:
    """Make a pair void, at once and everywhere. Raises UserNotFound, CredentialsNotFound."""
    user = await directory.user(name)
    await directory.change(rows.delete(access_key_id, user.id, otherwise=CredentialsNotFound()))
