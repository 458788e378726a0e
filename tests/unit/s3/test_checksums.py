# SPDX-License-Identifier: Apache-2.0
"""Checksums against the check values of the CRC catalogue."""

from __future__ import annotations

import os

import pytest

from lakehouse.s3.checksums import new_checksum

CHECK = b"123456789"


@pytest.mark.parametrize(
    ("name", "value"), [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")]
)
def test_the_catalogues_check_values(name, value):
    checksum = new_checksum(name)
    checksum.update(CHECK)
    assert checksum.digest().hex() == value


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
def test_cuts_do_not_matter(name):
    data = os.urandom(1001)
    whole, cut = new_checksum(name), new_checksum(name)
    whole.update(data)
    for start in range(0, 1001, 77):
        cut.update(data[start : start + 77])
    assert whole.digest() == cut.digest()


def test_other_names():
    assert new_checksum("md5") is None
