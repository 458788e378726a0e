# SPDX-License-Identifier: Apache-2.0
"""Callers without credentials, from networks that are trusted: Flyte's own clients send none.

They are one user with one policy, about the cache and nothing else. Both are made when the first of them comes; from
then on they are like any others, and an administrator may change them.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from lakehouse.core.errors import BadConfiguration, Unauthenticated, UserExists
from lakehouse.core.records import Effect, PolicyStatement
from lakehouse.meta import policies, users
from lakehouse.wire.cache import CACHE_REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from lakehouse.core.clock import Clock
    from lakehouse.core.records import User
    from lakehouse.db.port import Database

USER = "flyte-anonymous"
POLICY = "FlyteAnonymous"
STATEMENTS = (
    PolicyStatement(
        Effect.ALLOW,
        ("fs:ReadObject", "fs:WriteObject", "fs:DeleteObject"),
        f"arn:lakefs:fs:::repository/{CACHE_REPOSITORY}/object/*",
    ),
)


def parse_networks(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks such as `10.0.0.0/8`. Raises BadConfiguration."""
    try:
        return tuple(ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise BadConfiguration(f"flyte.anonymous: {error}; write networks such as 10.0.0.0/8") from error


def is_within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address belongs to one of the networks; IPv4 addresses in the form of IPv6 too."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in networks)


async def anonymous_user(db: Database, *, clock: Clock) -> User:
    """The user that stands for callers without credentials. Made, with the policy, if need be; atomic."""
    found = await users.by_name(db, USER)
    if found is not None:
        return found
    now = int(clock())
    with suppress(UserExists):  # another process was faster
        await db.apply(
            policies.touch(),
            users.insert(USER, email="", friendly_name="Flyte", created=now, otherwise=UserExists()),
            policies.insert_missing([(POLICY, STATEMENTS)], created=now),
            policies.attach_to_named_user(POLICY, USER),
        )
    found = await users.by_name(db, USER)
    if found is None:  # and an administrator faster still
        raise Unauthenticated
    return found
