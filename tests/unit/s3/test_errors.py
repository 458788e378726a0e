# SPDX-License-Identifier: Apache-2.0
"""Every error of the program has an S3 code, and every code a status."""

from __future__ import annotations

import pytest

from lakehouse.core import errors
from lakehouse.s3.errors import BY_CLASS, BY_KIND, STATUS, code_of, error_document


def everything(cls):
    for child in cls.__subclasses__():
        yield child
        yield from everything(child)


def test_the_tables_are_whole():
    assert set(BY_KIND) == set(errors.KINDS)
    assert set(BY_KIND.values()) | set(BY_CLASS.values()) <= set(STATUS)


@pytest.mark.parametrize("cls", sorted(set(everything(errors.LakehouseError)), key=lambda cls: cls.__name__))
def test_every_error_has_a_code(cls):
    assert code_of(cls()) != "InternalError"


def test_documents_are_escaped():
    raw = error_document(code="NoSuchKey", message="<&>\"'\x01", resource="/b/\udcff", request_id="id")
    assert "<Message>&lt;&amp;&gt;&quot;'\ufffd</Message>".encode() in raw
    assert "<Resource>/b/\ufffd</Resource>".encode() in raw
