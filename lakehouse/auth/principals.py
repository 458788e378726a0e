# SPDX-License-Identifier: Apache-2.0
"""External principals: identities of other systems, each of which logs in as one of our users."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth.directory import Directory, Window, page_of
from lakehouse.core.errors import InvalidArgument, PrincipalExists, PrincipalNotFound, UserNotFound
from lakehouse.meta import policies, principals, users

if TYPE_CHECKING:
    from lakehouse.core.records import ExternalPrincipal, Page

_LONGEST = 1024
_LARGEST = 16 * 1024


async def create(directory: Directory, name: str, user_name: str, *, settings: dict[str, object]) -> None:
    """Let an identity log in as a user. Raises InvalidArgument, UserNotFound, PrincipalExists."""
    if len(name) > _LONGEST or not name.isprintable():
        raise InvalidArgument(f"principalId: invalid value: validation error (1 to {_LONGEST} printable characters)")
    if len(msgspec.json.encode(settings)) > _LARGEST:
        raise InvalidArgument(f"settings: larger than {_LARGEST} bytes: invalid value: validation error")
    user = await directory.user(user_name)
    await directory.db.apply(
        policies.touch(),
        users.require(user.id, otherwise=UserNotFound()),
        principals.insert(name, user.id, created=directory.now, settings=settings, otherwise=PrincipalExists()),
    )


async def delete(directory: Directory, name: str, user_name: str) -> None:
    """No longer let an identity log in as a user. Raises UserNotFound, PrincipalNotFound."""
    user = await directory.user(user_name)
    await directory.db.apply(policies.touch(), principals.delete(name, user.id, otherwise=PrincipalNotFound()))


async def list_of_user(directory: Directory, user_name: str, window: Window) -> Page[ExternalPrincipal]:
    """The identities of a user in order of their names. Raises UserNotFound."""
    user = await directory.user(user_name)
    fetch = partial(principals.of_user, directory.db, user.id, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def get(directory: Directory, name: str) -> ExternalPrincipal:
    """An identity and its user. Raises PrincipalNotFound."""
    found = await principals.find(directory.db, name)
    if found is None:
        raise PrincipalNotFound
    return found
