# SPDX-License-Identifier: Apache-2.0
"""The hash that Flyte's keys are made of: objecthash, over the JSON of messages.

Each value is hashed as a letter for its type and its bytes; lists in their order, objects sorted by the hashes of their
keys, all numbers as normalised binary fractions.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST = 1000


def object_hash(value: Any) -> bytes:
    """32 bytes that stand for a JSON value. Raises TypeError for what JSON does not have."""
    match value:
        case None:
            return _digest(b"n")
        case bool():
            return _digest(b"b1" if value else b"b0")
        case str():
            return _digest(b"u" + value.encode())
        case int() | float():
            return _digest(b"f" + normalised(float(value)).encode())
        case Mapping():
            pairs = sorted(object_hash(key) + object_hash(one) for key, one in value.items())
            return _digest(b"d" + b"".join(pairs))
        case Sequence() if not isinstance(value, bytes | bytearray):
            return _digest(b"l" + b"".join([object_hash(one) for one in value]))
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def normalised(number: float) -> str:
    """Sign, exponent and binary digits of a mantissa above 0.5 and up to 1."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "+0:"
    sign = "-" if number < 0 else "+"
    mantissa, exponent = math.frexp(abs(number))
    if mantissa == 0.5:
        mantissa, exponent = 1.0, exponent - 1
    digits = []
    while mantissa:
        digits.append("1" if mantissa >= 1 else "0")
        mantissa = (mantissa - 1 if mantissa >= 1 else mantissa) * 2
    return f"{sign}{exponent}:{''.join(digits)[:_LONGEST]}"


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()
