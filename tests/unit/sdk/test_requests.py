# SPDX-License-Identifier: Apache-2.0
"""What uploads to presigned URLs need to know of the stores behind them."""

from __future__ import annotations

import pytest

from lakehouse.sdk.requests import stored_checksum, upload_headers

MD5 = "5d41402abc4b2a76b9719d911017c592"
BASE64 = "XUFAKrxLKna5cZ2REBfFkg=="


@pytest.mark.parametrize(
    ("headers", "checksum"),
    [
        ({"ETag": f'"{MD5}"'}, MD5),
        ({"etag": '"0x8D"', "Content-MD5": BASE64}, MD5),
        ({"etag": '"CJ="', "x-goog-hash": f"crc32c=mnG7TA==, md5={BASE64}"}, MD5),
        ({"etag": "x", "x-goog-hash": "crc32c=mnG7TA=="}, "x"),
        ({}, ""),
    ],
)
def test_checksums_that_stores_tell(headers: dict[str, str], checksum: str) -> None:
    assert stored_checksum(headers) == checksum


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://a.blob.core.windows.net/c/k?sv=2021-12-02&sr=b&sp=cw&sig=x", {"x-ms-blob-type": "BlockBlob"}),
        ("https://s3.example.org/b/k?X-Amz-Signature=x", {}),
        ("https://s3.example.org/b/sig", {}),
    ],
)
def test_what_stores_insist_on(url: str, headers: dict[str, str]) -> None:
    assert upload_headers(url) == headers
