# SPDX-License-Identifier: Apache-2.0
"""The writer's line: small requests first, bulk for half of the time."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from lakehouse.sqlite.line import Line


class Request(NamedTuple):
    name: str
    bulk: bool


class Hands:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def line(hands: Hands) -> Line[Request]:
    return Line(now=hands)


def put(line: Line[Request], names: str) -> None:
    """Capitals are bulk."""
    for name in names:
        line.put(Request(name, name.isupper()))


def transaction(line: Line[Request]) -> str:
    """Who goes together next."""
    request, names = line.first(), ""
    while request is not None:
        names += request.name
        request = line.along(request)
    return names


def test_small_ones_go_together_and_bulk_apart(line: Line[Request]) -> None:
    put(line, "AaBbc")
    assert [transaction(line) for _ in range(2)] == ["abc", "AB"]


def test_bulk_makes_way_for_who_comes_meanwhile(line: Line[Request]) -> None:
    put(line, "AB")
    first = line.first()
    assert first is not None
    put(line, "a")
    assert first.name == "A"
    assert line.along(first) is None
    assert [transaction(line) for _ in range(2)] == ["a", "B"]


def test_bulk_has_its_turn_however_many_small_ones_wait(line: Line[Request]) -> None:
    put(line, "Aab")
    assert transaction(line) == "ab"
    put(line, "c")
    first = line.first()
    assert first is not None
    assert first.name == "A"
    assert transaction(line) == "c"


def test_bulk_stays_back_for_as_long_as_it_took(line: Line[Request], hands: Hands) -> None:
    put(line, "aAB")
    assert transaction(line) == "a"
    first = line.first()
    assert first is not None
    put(line, "b")
    hands.now += 2
    line.stay_back(2)
    for name in "bcd":
        assert transaction(line) == name
        put(line, chr(ord(name) + 1))
        hands.now += 0.9
    assert [transaction(line) for _ in range(2)] == ["B", "e"]


def test_bulk_goes_on_when_it_is_alone(line: Line[Request]) -> None:
    put(line, "A")
    assert transaction(line) == "A"
    line.stay_back(1e9)
    put(line, "B")
    assert transaction(line) == "B"


def test_whoever_waited_at_the_end_comes_out(line: Line[Request]) -> None:
    put(line, "A")
    assert transaction(line) == "A"
    put(line, "aB")
    line.stay_back(1e9)
    line.end()
    assert transaction(line) == "a"
    assert transaction(line) == "B"
    assert line.first() is None
    put(line, "Cc")
    assert [one.name for one in line.all()] == ["c", "C"]
