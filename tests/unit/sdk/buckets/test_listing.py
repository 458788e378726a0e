# SPDX-License-Identifier: Apache-2.0
"""The store's XML, good and bad."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lakehouse.core.errors import Unavailable
from lakehouse.sdk.buckets.listing import Listed, error_in, parse_listing, refusals_in, upload_id_in

PAGE = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t/+=</NextContinuationToken>
<Contents><Key>a%20b+c%2B/%C3%BC</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"x"</ETag>
<Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>d%2F/</Prefix></CommonPrefixes></ListBucketResult>"""


def test_pages() -> None:
    found = parse_listing(PAGE)
    assert found.blobs == [Listed("a b c+/ü", 7, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))]
    assert (found.prefixes, found.more) == (["d//"], "t/+=")
    plain = parse_listing(PAGE.replace(b"<EncodingType>url</EncodingType>", b"").replace(b">true<", b">false<"))
    assert (plain.blobs[0].key, plain.more) == ("a%20b+c%2B/%C3%BC", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"<a/>",
        b"<ListBucketResult>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><ListBucketResult>&x;</ListBucketResult>',
    ],
)
def test_what_is_no_page(body) -> None:
    with pytest.raises(Unavailable):
        parse_listing(body)


def test_other_documents() -> None:
    assert upload_id_in(b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>") == "u"
    assert error_in(b"<Error><Code>c</Code><Message>m</Message></Error>") == ("c", "m")
    assert error_in(b"") == error_in(b"<x/>") == error_in(b"not xml") == ("", "")
    refused = b"<DeleteResult><Error><Key>k</Key><Code>c</Code><Message>m</Message></Error></DeleteResult>"
    assert refusals_in(refused) == [("k", "c", "m")]
