# SPDX-License-Identifier: Apache-2.0
"""ListObjects, the first form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.errors import S3Error
from lakehouse.s3.operations.listing import first_form, wanted
from lakehouse.s3.repository.listing import MOST, list_keys

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def list_objects(gateway: Gateway, asked: Asked) -> Answer:
    """A marker that is a rolled-up prefix stands for all keys in it; it must be of the ref that is listed."""
    ask = wanted(asked.request, most=MOST)
    marker = asked.request.query.get("marker", "")
    ref, slash, _ = ask.prefix.partition("/")
    if asked.keys.only is None and marker and slash and marker.partition("/")[0] != ref:
        raise S3Error("BadRequest", f"the marker must begin with {ref}/, as the prefix does")
    return first_form(asked.request, ask, await list_keys(gateway, asked, ask, after=marker), marker=marker)
