# SPDX-License-Identifier: Apache-2.0
"""PostObject: an upload by a browser's form, allowed by a signed policy. What is stored is as by PutObject."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.form import file_of
from lakehouse.s3.operations.put_object import put_object
from lakehouse.s3.payload import check_announced
from lakehouse.s3.post_policy import Sizes, check_policy, read_policy
from lakehouse.s3.request import check_key_length, limit_body
from lakehouse.s3.xml import NAMESPACE, document, element

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from lakehouse.asgi.form_file import FormFile
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request

_FILENAME = "${filename}"
_NOT_HEADERS = ("policy", "x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date", "key", "bucket")


async def post_object(physical: Physical, request: S3Request, form: FormFile, *, now: float, most: int) -> Answer:
    """All of the file or nothing. The caller has checked who signed the policy; here it is what the policy allows.

    Raises S3Error AccessDenied, InvalidArgument, InvalidPolicyDocument, EntityTooLarge, EntityTooSmall.
    """
    fields = {**form.fields, "bucket": request.bucket}
    key = fields.get("key", "").replace(_FILENAME, form.filename)
    if not key or "\x00" in key:
        raise S3Error("InvalidArgument", "the form needs a field `key` that says where the file goes")
    check_key_length(key)
    sizes = check_policy(read_policy(fields.get("policy", "")), {**fields, "key": key}, now=now)
    if "tagging" in fields:
        raise S3Error("NotImplemented", "tags are not implemented on the store's own buckets; nothing was stored")
    put = msgspec.structs.replace(
        request,
        method="PUT",
        key=key,
        query={},
        pairs=(),
        headers={name: value for name, value in fields.items() if name not in _NOT_HEADERS},
        body=_within(file_of(form), sizes),
        length=None,
    )
    limit_body(put, most)
    check_announced(put)
    stored = await put_object(physical, put)
    return _told(fields, put, stored.headers["etag"], root=_root(request))


async def _within(body: AsyncIterator[bytes], sizes: Sizes) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in body:
        size += len(chunk)
        if sizes.most is not None and size > sizes.most:
            raise S3Error("EntityTooLarge", f"the policy allows at most {sizes.most} bytes; nothing was stored")
        yield chunk
    if size < sizes.least:
        raise S3Error("EntityTooSmall", f"the policy asks for at least {sizes.least} bytes; nothing was stored")


def _root(request: S3Request) -> str:
    """The address of this side, as the caller reached it."""
    host = request.headers.get("host", "")
    bucket = "" if request.virtual_host else f"/{request.bucket}"
    return f"{request.scope.get('scheme', 'http')}://{host}{request.scope.get('root_path', '')}{bucket}"


def _told(fields: Mapping[str, str], put: S3Request, etag: str, *, root: str) -> Answer:
    where = f"{root}/{quote(put.key)}"
    headers = {"etag": etag, "location": where}
    redirect = urlsplit(fields.get("success_action_redirect") or fields.get("redirect", ""))
    if redirect.scheme in ("http", "https") and redirect.netloc:
        told = urlencode({"bucket": put.bucket, "key": put.key, "etag": etag})
        query = f"{redirect.query}&{told}" if redirect.query else told
        return Answer(303, {**headers, "location": redirect._replace(query=query).geturl()})
    status = fields.get("success_action_status", "")
    if status != "201":
        return Answer(200 if status == "200" else 204, headers)
    answer = xml_answer(
        document(
            "PostResponse",
            element("Location", where),
            element("Bucket", put.bucket),
            element("Key", put.key),
            element("ETag", etag),
            namespace=NAMESPACE,
        ),
        status=201,
    )
    answer.headers.update(headers)
    return answer
