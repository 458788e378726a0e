# SPDX-License-Identifier: Apache-2.0
"""ListObjects, the first form: keys of a bucket after a marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.operations.listing import first_form, list_page, wanted

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_objects(physical: Physical, request: S3Request) -> Answer:
    """A marker that is a rolled-up prefix stands for all keys in it."""
    ask = wanted(request)
    marker = request.query.get("marker", "")
    group = bool(ask.delimiter) and len(marker) > len(ask.prefix) and marker.endswith(ask.delimiter)
    found = await list_page(physical.store, request.bucket, ask, after=f"{marker}\udcff" if group else marker)
    return first_form(request, ask, found, marker=marker)
