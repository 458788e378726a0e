# SPDX-License-Identifier: Apache-2.0
"""An upload by a browser's form (multipart/form-data): short fields, then the file, which is streamed.

The file comes last: what a form has after it is read and dropped. Until the file begins, at most `MOST_FIELDS` bytes
are taken in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.multipart import parse_options_header

from lakehouse.asgi.form_file import FieldsTooLarge, FormFile, MalformedForm
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.s3.request import S3Request

MOST_FIELDS = 20 * 1024
"""Bytes of a form before the file, the fields' own headers included."""
_FILE = b"file"
_KIND = "multipart/form-data"


def is_form(request: S3Request) -> bool:
    """Whether a request is an upload by a form, which carries its signature inside."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.method == "POST" and request.key == "" and kind == _KIND


async def read_form(request: S3Request) -> FormFile:
    """The form, read until its file begins. Raises S3Error MalformedPOSTRequest, MaxPostPreDataLengthExceeded."""
    _, options = parse_options_header(request.headers["content-type"])
    try:
        form = FormFile(request.body, options.get(b"boundary"), name=_FILE, most_fields=MOST_FIELDS)
        found = await form.begin()
    except MalformedForm as error:
        raise _malformed(str(error)) from error
    except FieldsTooLarge as error:
        message = f"fields before the file: at most {MOST_FIELDS} bytes"
        raise S3Error("MaxPostPreDataLengthExceeded", message) from error
    if not found:
        raise _malformed("it has no file; the field's name must be `file`")
    return form


async def file_of(form: FormFile) -> AsyncIterator[bytes]:
    """The bytes of the file. Raises S3Error MalformedPOSTRequest, and IncompleteBody."""
    try:
        async for chunk in form.body():
            yield chunk
    except MalformedForm as error:
        raise _malformed(str(error)) from error


def _malformed(why: str) -> S3Error:
    return S3Error("MalformedPOSTRequest", f"the body is no well-formed upload form: {why}; nothing was stored")
