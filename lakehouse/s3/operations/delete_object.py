# SPDX-License-Identifier: Apache-2.0
"""DeleteObject: remove one object; success also when it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer
from lakehouse.s3.context import location

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def delete_object(physical: Physical, request: S3Request) -> Answer:
    await physical.store.delete([location(request)])
    return Answer(204)
