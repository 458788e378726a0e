# SPDX-License-Identifier: Apache-2.0
"""Reading one part of an object by its number (`?partNumber=2`), as it was uploaded.

An object that was put in one piece is its own first part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.objects.port import ByteRange
from lakehouse.s3.conditions import parse_range
from lakehouse.s3.errors import S3Error
from lakehouse.s3.part_number import part_number

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lakehouse.objects.port import ObjectInfo, ObjectPart
    from lakehouse.s3.request import S3Request


class Asked(msgspec.Struct, frozen=True):
    """Which bytes are wanted (None: all), and what an answer says of the object's parts.

    `etag`: of the object that the bytes were worked out for; "" when any will do.
    """

    range: ByteRange | None
    headers: dict[str, str] = {}
    etag: str = ""

    def check(self, info: ObjectInfo) -> None:
        """Raises S3Error OperationAborted when the object was replaced after its part had been found."""
        if self.etag and info.etag != self.etag:
            raise S3Error("OperationAborted", "the object was replaced while a part of it was being read; try again")


async def asked_bytes(request: S3Request, part_of: Callable[[int], Awaitable[ObjectPart | None]]) -> Asked:
    """What the Range header or the number of a part asks for. Raises S3Error InvalidPartNumber, InvalidRequest."""
    header = request.headers.get("range")
    if "partNumber" not in request.query:
        return Asked(parse_range(header))
    if header:
        raise S3Error("InvalidRequest", "a request names a range or a part, not both")
    part = await part_of(part_number(request))
    if part is None:
        raise S3Error("InvalidPartNumber", "the object has no part with this number")
    told = {"x-amz-mp-parts-count": str(part.count)} if part.count else {}
    wanted = ByteRange(part.start, part.start + part.size - 1) if part.size else None
    return Asked(wanted, told, part.etag)
