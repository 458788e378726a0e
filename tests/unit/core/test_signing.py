# SPDX-License-Identifier: Apache-2.0
"""Signatures, one by one and by the page."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.core.signing import SIGNATURE, Signer, decode

SIGNER = Signer({"new": b"n" * 32, "old": b"o" * 80})
OLD = Signer({"old": b"o" * 80})
FIELD = st.one_of(st.integers(0, 2**40), st.binary(max_size=90), st.text(st.characters(exclude_categories=["Cs"])))
RESTS = st.lists(st.tuples(FIELD, FIELD), max_size=5)
PAGE = [(b"p/%d" % number, f"data/{number}") for number in range(3)]
SIGNED = SIGNER.series("address", 7, more=2).sign(PAGE)


def test_a_signature_is_a_keyed_hash_of_the_value() -> None:
    for signer, key in ((SIGNER, b"n" * 32), (OLD, hashlib.blake2b(b"o" * 80).digest())):
        raw = decode(signer.sign(("a", 1)))
        assert raw is not None
        assert raw[4:] == hashlib.blake2b(msgspec.msgpack.encode(("a", 1)), key=key, digest_size=24).digest()


@given(st.lists(FIELD, min_size=1, max_size=13), RESTS)
def test_a_page_is_signed_as_its_values_are(first: list[object], rests: list[tuple[object, ...]]) -> None:
    series = SIGNER.series(*first, more=2)
    signatures = series.sign(rests)
    assert signatures == [SIGNER.sign((*first, *rest)) for rest in rests]
    assert series.verify(rests, signatures)


@pytest.mark.parametrize(
    "wrong",
    [
        SIGNED[:2],
        [*SIGNED, SIGNED[0]],
        [SIGNED[1], SIGNED[0], SIGNED[2]],
        [SIGNED[0], SIGNED[1][:-1], SIGNED[2]],
        [SIGNED[0], SIGNED[1] + "AA" + SIGNED[2], ""],
        [SIGNED[0] + "A", "A" + SIGNED[1], SIGNED[2]],
        [SIGNED[0], SIGNED[1][:-1] + "é", SIGNED[2]],
        [SIGNED[0], SIGNED[1], OLD.sign(("address", 7, *PAGE[2]))],
        [SIGNED[0], SIGNED[1], ""],
    ],
)
def test_a_page_is_right_to_the_letter_or_wrong(wrong: list[str]) -> None:
    series = SIGNER.series("address", 7, more=2)
    assert series.verify(PAGE, SIGNED)
    assert not series.verify(PAGE, wrong)


@pytest.mark.parametrize("at", range(SIGNATURE))
def test_every_letter_counts(at: int) -> None:
    letter = "B" if SIGNED[1][at] == "A" else "A"
    changed = SIGNED[1][:at] + letter + SIGNED[1][at + 1 :]
    assert not SIGNER.series("address", 7, more=2).verify(PAGE, [SIGNED[0], changed, SIGNED[2]])


def test_another_beginning_is_another_series() -> None:
    assert not SIGNER.series("address", 8, more=2).verify(PAGE, SIGNED)
    assert SIGNER.series("address", 7, more=2).verify([], [])
