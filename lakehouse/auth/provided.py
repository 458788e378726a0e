# SPDX-License-Identifier: Apache-2.0
"""From an identity of the provider to one of our users.

An identity is tied to a user by its issuer and subject, never by a name that it claims: a name may be taken, change
hands, or be made up. Memberships that the provider keeps follow its word at each login; others are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidName, PermissionDenied, PrincipalExists, UserExists
from lakehouse.core.ids import parse_user_name
from lakehouse.meta import groups, principals, users

if TYPE_CHECKING:
    from lakehouse.auth.directory import Directory
    from lakehouse.auth.oidc import Identity
    from lakehouse.core.records import User

SOURCE = "oidc"


async def user_of(directory: Directory, identity: Identity) -> User:
    """The user that an identity logs in as. Raises PermissionDenied when there is none."""
    user = await principals.user_behind(directory.db, identity.principal)
    if user is None:
        raise PermissionDenied(f"the identity {identity.principal} is nobody's here")
    return user


async def log_in(directory: Directory, identity: Identity, *, user_claim: str) -> User:
    """The same; an identity that is nobody's becomes a new user with the name that `user_claim` says.

    Raises PermissionDenied when it says none, or one that somebody else has.
    """
    user = await principals.user_behind(directory.db, identity.principal)
    if user is None:
        user = await _make(directory, identity, user_claim)
    if identity.groups is not None:
        await _follow(directory, user, identity.groups)
    return user


async def _make(directory: Directory, identity: Identity, user_claim: str) -> User:
    name = identity.claims.get(user_claim)
    if not isinstance(name, str) or (user_claim == "email" and identity.claims.get("email_verified") is False):
        raise PermissionDenied(f"the identity provider does not say who this is: the claim {user_claim!r} is missing")
    try:
        parse_user_name(name)
    except InvalidName as error:
        raise PermissionDenied(f"{name!r} cannot be a user here: {error.message}") from error
    email = identity.claims.get("email")
    friendly = identity.claims.get("name")
    created = directory.now
    try:
        await directory.change(
            users.insert(
                name,
                email=email if isinstance(email, str) else "",
                friendly_name=friendly if isinstance(friendly, str) else "",
                created=created,
                otherwise=UserExists(),
            ),
            principals.insert_for_named(identity.principal, name, created=created, otherwise=PrincipalExists()),
        )
    except (UserExists, PrincipalExists) as error:
        user = await principals.user_behind(directory.db, identity.principal)
        if user is not None:
            return user
        raise PermissionDenied(
            f"there is a user {name} already who is not this identity: an administrator can let it in by the external "
            f"principal {identity.principal}"
        ) from error
    return await directory.user(name)


async def _follow(directory: Directory, user: User, wanted: tuple[str, ...]) -> None:
    """Bring the memberships that the provider keeps to what it says, if they differ."""
    if set(await groups.names_from(directory.db, user.id, source=SOURCE)) != await groups.existing(
        directory.db, wanted, user.id, source=SOURCE
    ):
        await directory.change(*groups.provided(user.id, wanted, source=SOURCE))
