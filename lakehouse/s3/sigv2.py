# SPDX-License-Identifier: Apache-2.0
"""Checking AWS Signature Version 2 on requests: in the Authorization header, or in the query of a presigned URL.

Old tools still send it, and some new ones presign with it. It covers method, path, sub-resources, Content-MD5,
Content-Type, date and every `x-amz-` header. Source: "Signing and authenticating REST requests" of the Amazon S3
documentation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from lakehouse.s3.errors import S3Error
from lakehouse.s3.sigv4 import MAX_SKEW

if TYPE_CHECKING:
    from lakehouse.s3.request import S3Request

_HEADER = re.compile(r"AWS (?P<id>[^\s:]+):(?P<signature>[A-Za-z0-9+/]{27}=)")
_RESOURCES = frozenset(
    {
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location",
        "logging", "metrics", "notification", "notificationConfiguration", "partNumber", "policy", "replication",
        "requestPayment", "restore", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId",
        "versioning", "versions", "website", "response-cache-control", "response-content-disposition",
        "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
    }
)  # fmt: skip
"""Names in the query that are signed."""


class ClaimV2(msgspec.Struct, frozen=True):
    """A signature as the request carries it, not yet checked. `expires` (seconds since 1970) only of presigned URLs."""

    access_key_id: str
    signature: str
    expires: int | None = None


def read_claim_v2(request: S3Request) -> ClaimV2 | None:
    """The claim of version 2 that a request makes; None when it makes none. Raises S3Error."""
    query = request.query
    if "AWSAccessKeyId" in query:
        expires = query.get("Expires", "")
        if not re.fullmatch(r"[0-9]{1,12}", expires) or not query.get("Signature"):
            raise S3Error("AccessDenied", "a URL that is signed with AWSAccessKeyId needs Signature and Expires")
        return ClaimV2(query["AWSAccessKeyId"], query["Signature"], int(expires))
    text = request.headers.get("authorization", "")
    if not text.startswith("AWS "):
        return None
    match = _HEADER.fullmatch(text.strip())
    if match is None:
        raise S3Error("MissingFields", "the Authorization header is no signature of version 2 (AWS id:signature)")
    return ClaimV2(match["id"], match["signature"])


def check_time_v2(claim: ClaimV2, request: S3Request, now: float) -> None:
    """Raise S3Error when the claim is not valid now."""
    if claim.expires is not None:
        if now >= claim.expires:
            raise S3Error("AccessDenied", "Request has expired")
        return
    try:
        made = parsedate_to_datetime(request.headers.get("x-amz-date") or request.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError) as error:
        raise S3Error("AccessDenied", "a signature of version 2 needs a Date or x-amz-date header") from error
    if made > now + MAX_SKEW:
        raise S3Error("RequestNotReadyYet", "the request is not valid yet: check the clock of the client")
    if made < now - MAX_SKEW:
        raise S3Error(
            "RequestTimeTooSkewed", "the clocks of client and server differ by more than 15 minutes: set the client's"
        )


def check_signature_v2(claim: ClaimV2, request: S3Request, *, secret: str | None) -> None:
    """Raise S3Error unless `secret` made this signature of this request. `secret` None: there is no such key."""
    same = any(_made(secret or "", text, claim.signature) for text in _strings_to_sign(claim, request))
    if secret is None:
        raise S3Error("AccessDenied", "the access key is not known here, or may not be used this way")
    if not same:
        raise S3Error(
            "SignatureDoesNotMatch",
            "the signature is not the one that the server computes: check the secret key and the signing method",
        )


def _made(secret: str, text: str, claimed: str) -> bool:
    """Whether `secret` made this signature of this text."""
    made = base64.b64encode(hmac.new(secret.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1).digest())
    return hmac.compare_digest(made, claimed.encode("utf-8", "surrogateescape"))


def _strings_to_sign(claim: ClaimV2, request: S3Request) -> list[str]:
    headers = request.headers
    if claim.expires is not None:
        date = str(claim.expires)
    else:
        date = "" if "x-amz-date" in headers else headers.get("date", "")
    amz = "".join(
        f"{name}:{' '.join(value.split())}\n" for name, value in sorted(headers.items()) if name.startswith("x-amz-")
    )
    start = f"{request.method}\n{headers.get('content-md5', '')}\n{headers.get('content-type', '')}\n{date}\n"
    return [start + amz + resource for resource in _resources(request)]


def _resources(request: S3Request) -> list[str]:
    """What is signed of path and query. Some clients end a bucket's path with a slash here, and not on the wire."""
    path = request.raw_path.decode("latin-1")
    if request.virtual_host:
        path = f"/{quote(request.bucket)}{path}"
    named = sorted((name, value) for name, value in request.query.items() if name in _RESOURCES)
    given = {name for name, value in request.pairs if value == b""}
    parts = [name if name.encode() in given else f"{name}={value}" for name, value in named]
    query = f"?{'&'.join(parts)}" if parts else ""
    paths = [path] if request.key or path.endswith("/") else [path, f"{path}/"]
    return [one + query for one in paths]
