# SPDX-License-Identifier: Apache-2.0
"""PutObject: an object streamed to a branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.repository.facts import kept_metadata
from lakehouse.s3.repository.gateway import allow_object
from lakehouse.s3.write_conditions import write_condition
from lakehouse.s3.xml import quoted
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import writing

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway

_EMPTY = "d41d8cd98f00b204e9800998ecf8427e"


async def put_object(gateway: Gateway, asked: Asked) -> Answer:
    """All of the body or nothing. The key `branch/`, which some clients put as a directory, changes nothing."""
    allow_object(gateway, asked, "fs:WriteObject")
    request, lake = asked.request, gateway.lake
    if not asked.path:
        await resolve.branch(lake, asked.repository, asked.ref)
        return Answer(200, {"etag": quoted(_EMPTY)})
    condition = write_condition(request.headers)
    place = await writing.target(lake, asked.repository, asked.ref, asked.entry_path, condition=condition)
    entry = await writing.write(
        lake,
        place,
        request.body,
        size=request.length,
        content_type=request.headers.get("content-type", ""),
        metadata=kept_metadata(request),
        condition=condition,
    )
    return Answer(200, {"etag": quoted(entry.etag)})
