# SPDX-License-Identifier: Apache-2.0
"""The bytes of an upload, raw or from a form (multipart/form-data), streamed: nothing is spooled.

Of a form, the first part named `content` is the object; what else it holds is read and dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator  # msgspec reads the annotation
from typing import TYPE_CHECKING, Any

import msgspec
from python_multipart.multipart import parse_options_header

from lakehouse.asgi.call import header_text
from lakehouse.asgi.form_file import FormFile, MalformedForm
from lakehouse.asgi.streaming import DEFAULT_TYPE
from lakehouse.core.errors import BodyTooLarge, InvalidArgument

if TYPE_CHECKING:
    from lakehouse.asgi.call import Call

PART = b"content"


class Upload(msgspec.Struct):
    """An object as it comes in. `size` in bytes when it is known beforehand. `body` raises IncompleteBody, and
    InvalidArgument when a form goes wrong half-way.
    """

    content_type: str
    body: AsyncIterator[bytes]
    size: int | None


async def read_upload(call: Call[Any, Any], *, limit: int | None = None) -> Upload:
    """Begin to read an upload of at most `limit` bytes.

    Raises InvalidArgument for a form that is malformed or has no part `content`, BodyTooLarge for an announced length
    above the limit; for one that was not announced, the body raises it.
    """
    declared = call.header(b"content-type") or ""
    kind, options = parse_options_header(declared)
    if kind != b"multipart/form-data":
        if limit is not None and (call.content_length or 0) > limit:
            raise _too_large(limit)
        return Upload(declared or DEFAULT_TYPE, limited(call.stream(), limit), call.content_length)
    try:
        form = FormFile(call.messages(), options.get(b"boundary"), name=PART)
        found = await form.begin()
    except MalformedForm as error:
        raise _malformed(error) from error
    if not found:
        raise InvalidArgument(
            "multipart upload missing key 'content': invalid value: validation error "
            "(send the object as a part of that name)"
        )
    return Upload(header_text(form.content_type) or DEFAULT_TYPE, limited(_body(form), limit), None)


async def _body(form: FormFile) -> AsyncIterator[bytes]:
    try:
        async for chunk in form.body():
            yield chunk
    except MalformedForm as error:
        raise _malformed(error) from error


def _malformed(error: MalformedForm) -> InvalidArgument:
    return InvalidArgument(f"multipart upload: {error}: invalid value: validation error")


async def limited(body: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in body:
        size += len(chunk)
        if limit is not None and size > limit:
            raise _too_large(limit)
        yield chunk


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"object: larger than {limit} bytes: invalid value: validation error")
