# SPDX-License-Identifier: Apache-2.0
"""Handlers: all objects under a prefix at once.

Who copies or moves must be allowed to list the repository, and then each object is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api import shapes
from lakehouse.core.paths import parse_prefix
from lakehouse.versioning.objects import prefixes
from lakehouse.versioning.staged import usage
from lakehouse.wire.prefixes import PrefixUsage

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.tree.stats import Count
    from lakehouse.wire import prefixes as wire


async def get_prefix_usage(services: Services, call: Call[wire.PrefixQuery, None]) -> PrefixUsage:
    found = await usage.get_prefix_usage(
        services.lake, call.path["repository"], call.path["ref"], parse_prefix(call.query.prefix)
    )
    return _usage(found)


async def copy_prefix(services: Services, call: Call[None, wire.PrefixCopy]) -> PrefixUsage:
    request = _request(call.body, source_ref=call.body.src_ref or None)
    allow = _allow(services, call, "fs:ReadObject")
    copied = await prefixes.copy_prefix(
        services.lake, call.path["repository"], call.path["branch"], request, allow=allow
    )
    return _usage(copied)


async def move_prefix(services: Services, call: Call[None, wire.PrefixMove]) -> PrefixUsage:
    request = _request(call.body, source_ref=None)
    allow = _allow(services, call, "fs:ReadObject", "fs:DeleteObject")
    moved = await prefixes.move_prefix(
        services.lake, call.path["repository"], call.path["branch"], request, allow=allow
    )
    return _usage(moved)


def _request(body: wire.PrefixMove, *, source_ref: str | None) -> prefixes.PrefixRequest:
    return prefixes.PrefixRequest(
        source=parse_prefix(body.src_prefix, what="src_prefix"),
        destination=parse_prefix(body.dest_prefix, what="dest_prefix"),
        source_ref=source_ref,
        overwrite=body.overwrite,
        force=body.force,
    )


def _allow(services: Services, call: Call[Any, Any], *at_source: str) -> Callable[[bytes, bytes], None]:
    """Asks for each object: whether it may be taken from where it is and written to where it goes."""
    authorize, user, repository = services.checker.authorize, call.user, call.path["repository"]
    authorize(user, "fs:ListObjects", f"repository/{repository}")  # where nothing is, nothing else is asked

    def allow(source: bytes, target: bytes) -> None:
        for action in at_source:
            authorize(user, action, f"repository/{repository}/object/{shapes.text(source)}")
        authorize(user, "fs:WriteObject", f"repository/{repository}/object/{shapes.text(target)}")

    return allow


def _usage(count: Count) -> PrefixUsage:
    return PrefixUsage(objects=count.objects, size_bytes=count.bytes)
