# SPDX-License-Identifier: Apache-2.0
"""Reading XML from clients: no entities, no external references, no more than is useful."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

MAX_DOCUMENT = 8 * 1024 * 1024
"""Bytes of a document: 1,000 keys of 1,024 bytes, or 10,000 parts, with every character escaped."""


async def read_document(body: AsyncIterable[bytes], root: str) -> Any:
    """The root element (of xml.etree) of a body, which must be named `root`. Raises S3Error MalformedXML."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size > MAX_DOCUMENT:
            raise S3Error("MaxMessageLengthExceeded", f"the request body is longer than {MAX_DOCUMENT} bytes")
        chunks.append(chunk)
    try:
        found = fromstring(b"".join(chunks))
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise malformed() from error
    if local_name(found.tag) != root:
        raise malformed()
    return found


def children(parent: Any, name: str) -> list[Any]:
    """The child elements of this name, whatever their namespace."""
    return [child for child in parent if local_name(child.tag) == name]


def text_of(parent: Any, name: str) -> str | None:
    """The text of the first child of this name; None when there is no such child."""
    found = children(parent, name)
    return (found[0].text or "") if found else None


def local_name(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def malformed() -> S3Error:
    return S3Error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
