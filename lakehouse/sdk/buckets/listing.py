# SPDX-License-Identifier: Apache-2.0
"""The few XML documents of S3 that blobs need. Entities and the like are refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from lakehouse.core.errors import Unavailable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True)
class Listed:
    """A key of a listing."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Listing:
    """A page: common prefixes, keys, and what continues it ("": nothing follows)."""

    prefixes: list[str]
    blobs: list[Listed]
    more: str


def parse_listing(body: bytes) -> Listing:
    """A page of ListObjectsV2. Raises Unavailable for anything else."""
    root = _root(body, "ListBucketResult")
    encoded = _text(root, "EncodingType") == "url"
    prefixes, blobs = [], []
    for child in root:
        tag = _plain(child)
        if tag == "Contents":
            fields = {_plain(field): field.text or "" for field in child}
            blobs.append(Listed(_key(fields["Key"], encoded), int(fields["Size"]), _time(fields["LastModified"])))
        elif tag == "CommonPrefixes":
            prefixes.append(_key(_text(child, "Prefix"), encoded))
    more = _text(root, "NextContinuationToken") if _text(root, "IsTruncated") == "true" else ""
    return Listing(prefixes, blobs, more)


def upload_id_in(body: bytes) -> str:
    """The id of an upload in parts."""
    return _text(_root(body, "InitiateMultipartUploadResult"), "UploadId")


def refusals_in(body: bytes) -> list[tuple[str, str, str]]:
    """Key, code and message of what DeleteObjects did not delete."""
    root = _root(body, "DeleteResult")
    errors = [child for child in root if _plain(child) == "Error"]
    return [(_text(one, "Key"), _text(one, "Code"), _text(one, "Message")) for one in errors]


def error_in(body: bytes) -> tuple[str, str]:
    """Code and message of an error document; ("", "") when it is none."""
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException):
        return "", ""
    return (_text(root, "Code"), _text(root, "Message")) if _plain(root) == "Error" else ("", "")


def _root(body: bytes, wanted: str) -> Element:
    try:
        root: Element = fromstring(body)
    except (ParseError, DefusedXmlException) as error:
        raise Unavailable(f"the store's answer is no XML: {error}") from error
    if _plain(root) != wanted:
        raise Unavailable(f"the store answered with {_plain(root)} where {wanted} was expected")
    return root


def _plain(element: Element) -> str:
    """The tag without its namespace."""
    return element.tag.rpartition("}")[2]


def _text(parent: Element, name: str) -> str:
    return next((child.text or "" for child in parent if _plain(child) == name), "")


def _key(text: str, encoded: bool) -> str:
    return unquote_plus(text) if encoded else text


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
