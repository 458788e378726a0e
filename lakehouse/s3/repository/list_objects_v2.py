# SPDX-License-Identifier: Apache-2.0
"""ListObjectsV2, the form that clients of today use."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from lakehouse.s3.operations.listing import second_form, wanted
from lakehouse.s3.repository.listing import MOST, list_keys

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def list_objects_v2(gateway: Gateway, asked: Asked) -> Answer:
    """A continuation token is the last key of the page, percent-encoded; it goes before `start-after`."""
    query = asked.request.query
    ask = wanted(asked.request, most=MOST)
    token = query.get("continuation-token")
    after = query.get("start-after", "") if token is None else unquote(token, errors="surrogateescape")
    found = await list_keys(gateway, asked, ask, after=after)
    return second_form(asked.request, ask, found, next_token=quote(found.resume, safe="/", errors="surrogateescape"))
