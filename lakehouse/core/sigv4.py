# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4 for S3: canonical requests, signing keys, signed headers and presigned URLs.

Pure functions of their arguments, for whoever signs and for whoever checks (`lakehouse.s3.sigv4`). Source:
"Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API Reference. Paths are encoded once.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import msgspec

from lakehouse.core.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
MAX_EXPIRES = 604_800
"""Seconds that a presigned URL may be valid: seven days."""

_KEPT = 64
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Scope(msgspec.Struct, frozen=True):
    """What a signing key is good for: one day (`YYYYMMDD`), one region, one service."""

    date: str
    region: str
    service: str = "s3"

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class SigningKeys:
    """Derives signing keys and keeps the latest: four HMACs are most of the cost of a signature."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, Scope], bytes] = {}

    def key(self, secret: str, scope: Scope) -> bytes:
        """The signing key of `secret` for `scope`: 32 bytes."""
        found = self._keys.get((secret, scope))
        if found is None:
            found = signing_key(secret, scope)
            if len(self._keys) >= _KEPT:
                self._keys.clear()
            self._keys[secret, scope] = found
        return found


def signing_key(secret: str, scope: Scope) -> bytes:
    """The signing key of `secret` for `scope`: 32 bytes."""
    key = f"AWS4{secret}".encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def encode_path(path: bytes) -> str:
    """A path as it is signed: every byte percent-encoded but letters, digits, `-._~` and `/`."""
    return quote(path, safe="/-._~")


def encode_value(value: str | bytes) -> str:
    """A name or value of a query as it is signed: as paths, and `/` is encoded too."""
    return quote(value, safe="-._~")


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """A query as it is signed: pairs that are encoded already, sorted."""
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_request(
    method: str,
    *,
    path: str,
    query: str,
    headers: Iterable[tuple[str, str]],
    payload: str,
) -> str:
    """The text whose hash is signed. `path` and `query` encoded; `headers` those that are signed: lower-case names,
    sorted, values trimmed; `payload` the value of `x-amz-content-sha256`.
    """
    lines = [f"{name}:{value}\n" for name, value in headers]
    names = ";".join(line.partition(":")[0] for line in lines)
    return f"{method}\n{path}\n{query}\n{''.join(lines)}\n{names}\n{payload}"


def string_to_sign(canonical: str, *, stamp: str, scope: Scope) -> str:
    """The text that the signing key is applied to. `stamp` as `amz_time` makes it."""
    return f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def signature(key: bytes, text: str) -> str:
    """The signature of a string to sign: 64 hex digits."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def amz_time(now: float) -> str:
    """Seconds since 1970 as `YYYYMMDDTHHMMSSZ`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def presign_url(
    method: str,
    *,
    endpoint: str,
    path: bytes,
    access_key_id: str,
    secret: str,
    region: str,
    now: float,
    expires: int,
    query: Iterable[tuple[str, str]] = (),
    keys: SigningKeys | None = None,
) -> str:
    """A URL that allows `method` on `path` (bytes, not encoded, beginning with "/") for `expires` seconds from `now`.

    `endpoint` is scheme, host and perhaps a path before `path`. Only the host is signed of the headers, and no body.
    Raises InvalidArgument for a lifetime that is not 1 to 604,800 seconds.
    """
    if not 1 <= expires <= MAX_EXPIRES:
        raise InvalidArgument(f"a presigned URL can be valid for 1 to {MAX_EXPIRES} seconds, not {expires}")
    parts = urlsplit(endpoint)
    stamp = amz_time(now)
    scope = Scope(stamp[:8], region)
    signed_path = parts.path.rstrip("/") + encode_path(path)
    text = canonical_query(
        [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", encode_value(f"{access_key_id}/{scope}")),
            ("X-Amz-Date", stamp),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", "host"),
            *((encode_value(name), encode_value(value)) for name, value in query),
        ]
    )
    headers = [("host", host_header(endpoint))]
    canonical = canonical_request(method, path=signed_path, query=text, headers=headers, payload=UNSIGNED_PAYLOAD)
    key = (keys or SigningKeys()).key(secret, scope)
    found = signature(key, string_to_sign(canonical, stamp=stamp, scope=scope))
    return f"{parts.scheme}://{parts.netloc}{signed_path}?{text}&X-Amz-Signature={found}"


def sign_headers(
    method: str,
    *,
    path: bytes,
    headers: Mapping[str, str],
    access_key_id: str,
    secret: str,
    region: str,
    now: float,
    payload: str = UNSIGNED_PAYLOAD,
    query: Iterable[tuple[str, str]] = (),
    keys: SigningKeys | None = None,
) -> dict[str, str]:
    """The headers to add to a request so that it is signed: `authorization`, `x-amz-date`, `x-amz-content-sha256`.

    `headers` are signed too and must have `host`. `payload` is the hex SHA-256 of the body or one of S3's words.
    """
    stamp = amz_time(now)
    scope = Scope(stamp[:8], region)
    added = {"x-amz-date": stamp, "x-amz-content-sha256": payload}
    signed = sorted((name.lower(), " ".join(value.split())) for name, value in {**headers, **added}.items())
    text = canonical_query((encode_value(name), encode_value(value)) for name, value in query)
    canonical = canonical_request(method, path=encode_path(path), query=text, headers=signed, payload=payload)
    key = (keys or SigningKeys()).key(secret, scope)
    found = signature(key, string_to_sign(canonical, stamp=stamp, scope=scope))
    names = ";".join(name for name, _ in signed)
    credential = f"{access_key_id}/{scope}"
    return {**added, "authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={found}"}


def host_header(endpoint: str) -> str:
    """The Host header that clients send to `endpoint`: without the port when it is the scheme's own."""
    parts = urlsplit(endpoint)
    return parts.netloc.rpartition("@")[2].removesuffix(_DEFAULT_PORTS.get(parts.scheme, ":"))
