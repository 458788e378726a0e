# SPDX-License-Identifier: Apache-2.0
"""Requests and answers without I/O: URLs, queries and bodies from declarations, values from bytes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.core.errors import InvalidArgument, Unavailable
from lakehouse.wire.packed import MSGPACK, PackedItems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.wire.operation import Operation

T = TypeVar("T")

API = "/api/v1"
JSON = "application/json"
PACKED = {"content-type": MSGPACK, "accept": MSGPACK}
"""Headers of a request that speaks MessagePack and hears it."""


_FOREIGN = "the answer is not what the API sends; is the endpoint right?"


def base_url(endpoint: str) -> str:
    """The URL of the API at an endpoint such as `http://127.0.0.1:8000`, with or without `/api/v1`.

    Raises InvalidArgument.
    """
    trimmed = endpoint.rstrip("/").removesuffix(API)
    if not trimmed.startswith(("http://", "https://")):
        raise InvalidArgument(f"endpoint {endpoint!r}: must begin with http:// or https://")
    return trimmed + API


def authorization(*, access_key_id: str | None, secret_access_key: str | None, token: str | None) -> dict[str, str]:
    """The Authorization header for a key pair or a token; none without either. Raises InvalidArgument for both."""
    if token is not None:
        if access_key_id is not None or secret_access_key is not None:
            raise InvalidArgument("give an access key pair or a token, not both")
        return {"authorization": f"Bearer {token}"}
    if access_key_id is None and secret_access_key is None:
        return {}
    if access_key_id is None or secret_access_key is None:
        raise InvalidArgument("an access key pair is an access_key_id and a secret_access_key")
    pair = base64.b64encode(f"{access_key_id}:{secret_access_key}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def url_of(operation: Operation, path: Mapping[str, str], query: msgspec.Struct | None) -> str:
    """The part of the URL below the base. Raises InvalidArgument for an empty path parameter."""
    for name, value in path.items():
        if not value:
            raise InvalidArgument(f"{name} must not be empty")
    url = operation.path.format_map({name: quote(value, safe="") for name, value in path.items()})
    members = {} if query is None else msgspec.to_builtins(query)
    pairs = [
        (name, str(value).lower() if isinstance(value, bool) else value)
        for name, value in members.items()
        if value != []
    ]
    return f"{url}?{urlencode(pairs, doseq=True)}" if pairs else url


def decoded(content: bytes, kind: type[T]) -> T:
    """An answer's body as `kind`. Raises Unavailable when it is something else: there is no lakehouse at that end."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"{_FOREIGN} ({error})") from error


def packed(content: bytes, kind: type[T]) -> T:
    """As `decoded`, of MessagePack."""
    try:
        return msgspec.msgpack.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"{_FOREIGN} ({error})") from error


def unpacked(content: bytes, kind: type[T]) -> list[T]:
    """An answer's body as a stream of MessagePack values of `kind`. Raises Unavailable as `decoded`."""
    try:
        return PackedItems(kind).all([content])
    except InvalidArgument as error:
        raise Unavailable(f"{_FOREIGN} ({error})") from error


def given(value: T | None) -> T | UnsetType:
    """None as an absent field."""
    return UNSET if value is None else value


def header_names(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name."""
    return {name.lower(): value for name, value in headers.items()}


def upload_headers(url: str) -> dict[str, str]:
    """Headers that the store behind a presigned URL insists on: Azure, whose URLs carry a SAS, wants a kind of blob."""
    names = {pair.partition("=")[0] for pair in url.partition("?")[2].split("&")}
    return {"x-ms-blob-type": "BlockBlob"} if {"sig", "sv", "sr"} <= names else {}


def stored_checksum(headers: Mapping[str, str]) -> str:
    """The checksum of what was PUT to a store, by its answer: the MD5 in hex where it tells it, else its ETag."""
    found = header_names(headers)
    hashes = [part.strip().removeprefix("md5=") for part in found.get("x-goog-hash", "").split(",") if "md5=" in part]
    digest = found.get("content-md5") or "".join(hashes[:1])
    return base64.b64decode(digest).hex() if digest else found.get("etag", "").strip('"')


def metadata_headers(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """User metadata of an upload through the API."""
    return {f"x-lakefs-meta-{key}": value.encode() for key, value in (metadata or {}).items()}
