# SPDX-License-Identifier: Apache-2.0
"""Checking AWS Signature Version 4 on requests: in the Authorization header, or in the query of a presigned URL.

Invariants: a request is believed only when the signature covers its method, path, query, host and every `x-amz-`
header that can change what happens; a presigned URL is good for exactly as long as it says; signatures are compared in
constant time, and an unknown access key costs as much as a wrong signature.
"""

from __future__ import annotations

import calendar
import hmac
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.sigv4 import (
    ALGORITHM,
    MAX_EXPIRES,
    UNSIGNED_PAYLOAD,
    Scope,
    SigningKeys,
    canonical_query,
    canonical_request,
    encode_path,
    encode_value,
    signature,
    string_to_sign,
)
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.s3.request import Pairs, S3Request

MAX_SKEW = 15 * 60
"""Seconds that a client's clock may differ from ours."""

_HEADER = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<credential>[^,\s]+)\s*,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*Signature=(?P<signature>[^,\s]+)"
)
_QUERY_MARKS = frozenset({"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"})
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_HARMLESS = re.compile(r"x-amz-(?:checksum-.*|sdk-.*|content-sha256|user-agent|te|decoded-content-length|trailer|date)")
"""Headers of S3 that say nothing but how the body travels: they need not be signed."""


class Claim(msgspec.Struct, frozen=True):
    """A signature as the request carries it, not yet checked. `expires` only of presigned URLs, in seconds."""

    access_key_id: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    payload: str
    expires: int | None = None

    @property
    def presigned(self) -> bool:
        return self.expires is not None


def is_unsigned(request: S3Request) -> bool:
    """Whether a request makes no claim at all."""
    return "authorization" not in request.headers and not _QUERY_MARKS.intersection(request.query)


def read_claim(request: S3Request) -> Claim:
    """The claim that a request makes. Raises S3Error, MissingFields when it makes none."""
    if _QUERY_MARKS.intersection(request.query):
        return _query_claim(request)
    text = request.headers.get("authorization")
    if text is None:
        raise S3Error("MissingFields", "the request is not signed: sign it with an access key (signature version 4)")
    return _header_claim(text, request.headers)


def _header_claim(text: str, headers: Mapping[str, str]) -> Claim:
    match = _HEADER.fullmatch(text.strip())
    if match is None:
        raise S3Error("MissingFields", "the Authorization header is no signature of version 4 (AWS4-HMAC-SHA256)")
    stamp = headers.get("x-amz-date", "")
    if not _STAMP.fullmatch(stamp):
        raise S3Error("MissingFields", "the x-amz-date header is missing or not of the form YYYYMMDDTHHMMSSZ")
    payload = headers.get("x-amz-content-sha256")
    if payload is None:
        raise S3Error("InvalidRequest", "the x-amz-content-sha256 header is missing")
    access_key_id, scope = _credential(match["credential"], stamp, code="AuthorizationHeaderMalformed")
    return Claim(access_key_id, scope, tuple(match["headers"].split(";")), match["signature"], stamp, payload)


def _query_claim(request: S3Request) -> Claim:
    query = request.query
    code = "AuthorizationQueryParametersError"
    names = [name for name, _ in request.pairs]
    if len(names) != len(set(names)):
        raise S3Error(code, "a query parameter is there twice")
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise S3Error(code, f"X-Amz-Algorithm must be {ALGORITHM}")
    stamp, expires, found = (query.get(f"X-Amz-{name}", "") for name in ("Date", "Expires", "Signature"))
    if not _STAMP.fullmatch(stamp) or not found:
        raise S3Error(code, "X-Amz-Date or X-Amz-Signature is missing or malformed")
    if not re.fullmatch(r"[0-9]{1,6}", expires) or not 1 <= int(expires) <= MAX_EXPIRES:
        raise S3Error(code, f"X-Amz-Expires must be 1 to {MAX_EXPIRES} seconds")
    access_key_id, scope = _credential(query.get("X-Amz-Credential", ""), stamp, code=code)
    signed = tuple(query.get("X-Amz-SignedHeaders", "").split(";"))
    payload = query.get("X-Amz-Content-Sha256") or request.headers.get("x-amz-content-sha256") or UNSIGNED_PAYLOAD
    return Claim(access_key_id, scope, signed, found, stamp, payload, int(expires))


def _credential(text: str, stamp: str, *, code: str) -> tuple[str, Scope]:
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not parts[0]:
        raise S3Error(code, "the credential must be <access key id>/<date>/<region>/s3/aws4_request")
    if parts[1] != stamp[:8]:
        raise S3Error(code, "the date of the credential is not that of the request")
    return parts[0], Scope(parts[1], parts[2], parts[3])


def check_time(claim: Claim, now: float) -> None:
    """Raise S3Error when the claim is not valid now."""
    made = _seconds(claim.stamp)
    if made > now + MAX_SKEW:
        raise S3Error("RequestNotReadyYet", "the request is not valid yet: check the clock of the client")
    if claim.expires is not None:
        if now >= made + claim.expires:
            raise S3Error("AccessDenied", "Request has expired")
    elif made < now - MAX_SKEW:
        raise S3Error(
            "RequestTimeTooSkewed", "the clocks of client and server differ by more than 15 minutes: set the client's"
        )


@lru_cache(maxsize=256)
def _seconds(stamp: str) -> int:
    """A time as signatures write it. Many requests of one second have the same. Raises S3Error."""
    try:
        return calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError as error:
        raise S3Error("AccessDenied", "the time of the signature is no time") from error


def check_signature(claim: Claim, request: S3Request, *, secret: str | None, keys: SigningKeys) -> None:
    """Raise S3Error unless `secret` made this signature of this request. `secret` None: there is no such key."""
    _check_coverage(claim, request)
    path, query = encode_path(request.path), _signed_query(request.pairs)
    headers = [(name, " ".join(request.headers.get(name, "").split())) for name in claim.signed_headers]
    payload = claim.payload
    if claim.presigned and "X-Amz-Content-Sha256" not in request.query:
        payload = payload if "x-amz-content-sha256" in claim.signed_headers else UNSIGNED_PAYLOAD
    canonical = canonical_request(request.method, path=path, query=query, headers=headers, payload=payload)
    key = keys.key(secret or "", claim.scope)
    made = signature(key, string_to_sign(canonical, stamp=claim.stamp, scope=claim.scope))
    same = hmac.compare_digest(made.encode(), claim.signature.encode("utf-8", "surrogateescape"))
    if secret is None:
        raise S3Error("AccessDenied", "the access key is not known here, or may not be used this way")
    if not same:
        raise S3Error(
            "SignatureDoesNotMatch",
            "the signature is not the one that the server computes: check the secret key and the signing method",
        )


def _check_coverage(claim: Claim, request: S3Request) -> None:
    """Every header that can change the outcome must be among the signed ones."""
    signed = frozenset(claim.signed_headers)
    if "host" not in signed or list(claim.signed_headers) != sorted(signed):
        raise S3Error("AccessDenied", "the signature must cover the host header, names in order, each once")
    loose = [n for n in request.headers if n.startswith("x-amz-") and n not in signed and not _HARMLESS.fullmatch(n)]
    if loose:
        raise S3Error("AccessDenied", f"there were headers in the request which were not signed: {', '.join(loose)}")


def _signed_query(pairs: Pairs) -> str:
    return canonical_query(
        (encode_value(name), encode_value(value)) for name, value in pairs if name != b"X-Amz-Signature"
    )
