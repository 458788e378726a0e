# SPDX-License-Identifier: Apache-2.0
"""What each method of Flyte 2's cache service does with its message, whatever form that came in.

Literals are refused, as Flyte's server refuses them: this service keeps URIs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core.errors import InvalidArgument
from lakehouse.facades.cache import messages
from lakehouse.facades.cache.messages import Shape
from lakehouse.facades.cache.scope import Scope, parse_scope
from lakehouse.facades.cache.service import MICRO, CacheService, Output
from lakehouse.wire import cache as wire
from lakehouse.wire.operation import Operation

if TYPE_CHECKING:
    from lakehouse.core.records import User
    from lakehouse.facades.cache.messages import Message
    from lakehouse.facades.cache.service import Found

Do = Callable[[CacheService, Scope, "Message", "User"], Awaitable["Message"]]
_LATEST = 253_402_300_800
"""The year 10,000, in seconds: where timestamps end."""


class Method(msgspec.Struct, frozen=True, eq=False):
    """A method: what comes, what goes, by which operation's permission, and what it does with the base request."""

    request: Shape
    response: Shape
    operation: Operation
    do: Do


def scope_of(message: Message) -> tuple[Scope, Message]:
    """Where a request belongs, and its base request. Raises InvalidArgument."""
    base = message.get("base_request")
    if base is None:
        raise InvalidArgument("missing base_request: invalid value: validation error")
    where = message.get("identifier", {})
    scope = parse_scope(
        org=where.get("org", ""),
        project=where.get("project", ""),
        domain=where.get("domain", ""),
        key=base.get("key", ""),
    )
    return scope, base


async def get(cache: CacheService, scope: Scope, base: Message, user: User) -> Message:
    found = await cache.get(scope, user=user)
    return {"output": {"output_uri": found.uri, "metadata": metadata_message(found)}}


async def put(cache: CacheService, scope: Scope, base: Message, user: User) -> Message:
    given: Message = base.get("output", {})
    if "output_literals" in given:
        raise InvalidArgument("output: send output_uri, literals are not kept: invalid value: validation error")
    how: Message = base.get("overwrite", {})
    about: Message = given.get("metadata", {})
    created = about.get("created_at")
    output = Output(
        uri=given.get("output_uri", ""),
        metadata=metadata_of(about),
        created=None if created is None else micros(created, name="created_at"),
    )
    max_age = seconds(how.get("max_age", (0, 0)), name="max_age")
    if max_age < 0:
        raise InvalidArgument("max_age: below 0: invalid value: validation error")
    await cache.put(scope, output, overwrite=how.get("overwrite", False), max_age=max_age)
    return {}


async def delete(cache: CacheService, scope: Scope, base: Message, user: User) -> Message:
    await cache.delete(scope)
    return {}


async def claim(cache: CacheService, scope: Scope, base: Message, user: User) -> Message:
    beat = seconds(base.get("heartbeat_interval", (0, 0)), name="heartbeat_interval")
    held = await cache.claim(scope, base.get("owner_id", ""), heartbeat=beat)
    return {
        "reservation": {
            "key": scope.key,
            "owner_id": held.owner,
            "heartbeat_interval": moment(held.heartbeat),
            "expires_at": moment(held.expires),
        }
    }


async def release(cache: CacheService, scope: Scope, base: Message, user: User) -> Message:
    await cache.release(scope, base.get("owner_id", ""))
    return {}


METHODS = {
    "Get": Method(messages.GET_REQUEST, messages.GET_RESPONSE, wire.GET_CACHE_ENTRY, get),
    "Put": Method(messages.PUT_REQUEST, messages.PUT_RESPONSE, wire.PUT_CACHE_ENTRY, put),
    "Delete": Method(messages.DELETE_REQUEST, messages.DELETE_RESPONSE, wire.DELETE_CACHE_ENTRY, delete),
    "GetOrExtendReservation": Method(
        messages.CLAIM_REQUEST, messages.CLAIM_RESPONSE, wire.CLAIM_CACHE_RESERVATION, claim
    ),
    "ReleaseReservation": Method(
        messages.RELEASE_REQUEST, messages.RELEASE_RESPONSE, wire.RELEASE_CACHE_RESERVATION, release
    ),
}


# -- values ------------------------------------------------------------------------------------------------------------


def metadata_of(message: Message) -> wire.CacheMetadata:
    """What a message says of outputs, but for the times."""
    source = message.get("source_identifier")
    return wire.CacheMetadata(
        source_identifier=None if source is None else wire.SourceIdentifier(**source),
        key_map=message.get("key_map", {}).get("values", {}),
    )


def metadata_message(found: Found) -> Message:
    """What is known of an entry."""
    source, words = found.metadata.source_identifier, found.metadata.key_map
    message: dict[str, Any] = {} if source is None else {"source_identifier": msgspec.structs.asdict(source)}
    if words:
        message["key_map"] = {"values": words}
    return message | {"created_at": moment(found.created), "last_updated_at": moment(found.updated)}


def moment(microseconds: int) -> tuple[int, int]:
    """Seconds and nanoseconds."""
    return microseconds // MICRO, microseconds % MICRO * 1000


def micros(value: tuple[int, int], *, name: str) -> int:
    """Microseconds of a timestamp. Raises InvalidArgument for one before 1970 or after the year 9999."""
    if not (0 <= value[0] < _LATEST and 0 <= value[1] < 1_000_000_000):
        raise InvalidArgument(f"{name}: not between 1970 and 9999: invalid value: validation error")
    return value[0] * MICRO + value[1] // 1000


def seconds(value: tuple[int, int], *, name: str) -> float:
    """An interval in seconds. Raises InvalidArgument for one that is none."""
    if abs(value[0]) > 315_576_000_000 or abs(value[1]) >= 1_000_000_000 or value[0] * value[1] < 0:
        raise InvalidArgument(f"{name}: no interval: invalid value: validation error")
    return value[0] + value[1] / 1_000_000_000
