# SPDX-License-Identifier: Apache-2.0
"""Conditions of statements: all operators and all their keys must hold, each for one of its values.

What is not known is no fact: a condition over it does not hold. A statement that denies counts it as held. Either way
the doubt goes against the caller.
"""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from lakehouse.auth.arn import matcher
from lakehouse.core.errors import InvalidPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lakehouse.core.records import User

    Judge = Callable[[str], bool]
    Test = Callable[[User], bool | None]

SOURCE_IP = "sourceip"
USER_NAME = "username"
KEYS = {SOURCE_IP: "SourceIp", USER_NAME: "UserName"}
"""Keys that conditions may name, in any case, with or without what stands before a colon."""


class Holds(Enum):
    """What became of a statement's conditions."""

    YES = True
    NO = False
    UNKNOWN = None


def parse_conditions(
    conditions: Mapping[str, Mapping[str, Sequence[str]]], *, user: str = ""
) -> Callable[[User], Holds] | None:
    """One test for all conditions of a statement; None when it has none. Raises InvalidPolicy."""
    tests = [
        _test(operator, key, list(values), user)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    if not tests:
        return None

    def holds(asking: User) -> Holds:
        found = [test(asking) for test in tests]
        if False in found:
            return Holds.NO
        return Holds.UNKNOWN if None in found else Holds.YES

    return holds


def _test(operator: str, key: str, values: list[str], user: str) -> Test:
    name = key.rpartition(":")[2].lower()
    kind = operator.lower()
    if name not in KEYS:
        raise InvalidPolicy(
            f"policy: condition {operator}: key {key!r}: invalid value: validation error "
            f"(known are {', '.join(KEYS.values())})"
        )
    if not values:
        raise InvalidPolicy(f"policy: condition {operator}: {key}: no values: invalid value: validation error")
    match kind.removeprefix("not") if kind.startswith("notip") else kind.removeprefix("stringnot"):
        case "ipaddress" if name == SOURCE_IP:
            judge = _in_networks(operator, values)
        case "stringlike" | "like":
            judge = _like(values, user)
        case _:
            raise InvalidPolicy(
                f"policy: condition {operator!r} of {key}: invalid value: validation error "
                "(known are IpAddress, NotIpAddress, StringLike, StringNotLike)"
            )
    negated = kind.startswith(("notip", "stringnot"))

    def test(asking: User) -> bool | None:
        value = asking.peer if name == SOURCE_IP else asking.name
        return judge(value) != negated if value else None

    return test


def _like(values: list[str], user: str) -> Judge:
    matches = matcher(values, user=user)
    return lambda text: matches(text) is not None


def _in_networks(operator: str, values: list[str]) -> Judge:
    try:
        networks = [ip_network(value, strict=False) for value in values]
    except ValueError as error:
        raise InvalidPolicy(f"policy: condition {operator}: {error}: invalid value: validation error") from error

    def judge(text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in networks)

    return judge


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(re.sub(r"%.*", "", text))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
