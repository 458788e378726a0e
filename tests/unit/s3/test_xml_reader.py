# SPDX-License-Identifier: Apache-2.0
"""XML from clients: what is refused."""

from __future__ import annotations

import pytest

from lakehouse.s3 import xml_reader
from lakehouse.s3.errors import S3Error
from lakehouse.s3.xml_reader import children, read_document, text_of

pytestmark = pytest.mark.anyio


async def body(raw: bytes):
    yield raw


async def test_with_and_without_a_namespace():
    for mark in ("", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'):
        raw = f"<Delete{mark}><Object><Key>a&amp;b</Key></Object><Object><Key/></Object></Delete>".encode()
        root = await read_document(body(raw), "Delete")
        assert [text_of(item, "Key") for item in children(root, "Object")] == ["a&b", ""]
        assert text_of(root, "Quiet") is None


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"<Delete>", b"<Other/>", b"\xff\xfe", b"<Delete></Delete><x/>",
        b'<!DOCTYPE d [<!ENTITY a "aaaa">]><Delete>&a;</Delete>',
        b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete>&a;</Delete>',
    ],
)  # fmt: skip
async def test_what_is_refused(raw):
    with pytest.raises(S3Error) as caught:
        await read_document(body(raw), "Delete")
    assert caught.value.code == "MalformedXML"


async def test_too_long(monkeypatch):
    monkeypatch.setattr(xml_reader, "MAX_DOCUMENT", 100)
    with pytest.raises(S3Error) as caught:
        await read_document(body(b"<Delete>" + b" " * 100), "Delete")
    assert caught.value.code == "MaxMessageLengthExceeded"
