# SPDX-License-Identifier: Apache-2.0
"""Every place has one spelling, and what lies inside what is decided on parsed forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.core.errors import InvalidAddress
from lakehouse.objects.address import (
    key_bytes,
    key_text,
    parse_address,
)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://lake.local/repo/data/x", ("s3", "lake.local", "repo/data/x")),
        ("s3://bucket", ("s3", "bucket", "")),
        ("s3://bucket/", ("s3", "bucket", "")),
        ("s3://bucket/a/", ("s3", "bucket", "a/")),
        ("gs://b_u-c.k/a b+c,d/ü?x#y", ("gs", "b_u-c.k", "a b+c,d/ü?x#y")),
        ("s3://bucket/a%2Fb", ("s3", "bucket", "a%2Fb")),
        ("s3://bucket/...", ("s3", "bucket", "...")),
        ("local://x/.hidden/a..b", ("local", "x", ".hidden/a..b")),
    ],
)
def test_canonical_addresses(uri, parts):
    address = parse_address(uri)
    assert (address.scheme, address.bucket, address.key) == parts
    assert parse_address(address.uri) == address


@pytest.mark.parametrize(
    "uri",
    [
        "", "bucket/key", "s3:/bucket/k", "s3:///k", "S3://bucket/k", "s3://Bucket/k", "s3://b%2Fc/k", "s3://lake%2elocal/k",
        "s3://b//k", "s3://b/a//k", "s3://b/./k", "s3://b/a/./k", "s3://b/a/../k", "s3://b/..", "s3://b/a/.", "s3://b//",
        "s3://b/a\x00b", "s3://b\x00/k", "s3://a..b/k", "s3://.a/k", "s3://a./k", "s3://user@b/k", "s3://b:80/k",
        "s3://b /k", " s3://b/k", "s3://b?x/k", "s3://b\\c/k", "s3://\u212a/k", "s3://b/\udcff", f"s3://b/{'k' * 1025}",
        "file:///etc/passwd", "s3://b/k//",
    ],
)  # fmt: skip
def test_other_spellings_are_refused(uri):
    with pytest.raises(InvalidAddress):
        parse_address(uri)


def test_the_embedded_store_has_a_dot():
    assert parse_address("s3://lake.local/x").embedded
    assert not parse_address("s3://lake/x").embedded
    assert not parse_address("gs://lake.local/x").embedded


@given(st.binary(min_size=1, max_size=1024))
def test_keys_of_any_bytes_go_to_text_and_back(raw):
    assert key_bytes(key_text(raw)) == raw


@given(st.text(max_size=40))
def test_whatever_parses_is_canonical(text):
    try:
        address = parse_address(f"s3://b/{text}")
    except InvalidAddress:
        return
    assert address.uri == f"s3://b/{text}"
    assert not {"..", ".", ""}.intersection(address.key.split("/")[:-1])
