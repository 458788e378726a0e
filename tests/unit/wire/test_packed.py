# SPDX-License-Identifier: Apache-2.0
"""Streams of MessagePack: cut anywhere, bounded, and refused in words when they are wrong."""

from __future__ import annotations

import random

import msgpack
import msgspec
import pytest

from lakehouse.core.errors import BodyTooLarge, InvalidArgument
from lakehouse.wire.packed import MAX_ITEM, PAGE, Cutter, PackedItems, is_packed, wants_packed


class Item(msgspec.Struct, frozen=True):
    path: str
    size: int
    more: dict[str, str] = {}


ITEMS = [Item(f"p{number}", number, {"k": "v" * (number % 700)}) for number in range(2 * PAGE + 7)]
READER = PackedItems(Item)


def stream(items: list[Item]) -> bytes:
    return b"".join(msgpack.packb(msgspec.to_builtins(item)) for item in items)


def pieces(data: bytes, *sizes: int) -> list[bytes]:
    chance, found, at = random.Random(5), [], 0
    while at < len(data):
        size = chance.choice(sizes)
        found.append(data[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("sizes", [(1,), (1, 2, 3, 300), (1000, 70_000), (1 << 30,)])
@pytest.mark.parametrize("array", [False, True])
def test_items_come_as_they_were_however_they_are_cut(array: bool, sizes: tuple[int, ...]) -> None:
    some = ITEMS if sizes != (1,) else ITEMS[:40]
    data = msgpack.packb([msgspec.to_builtins(item) for item in some]) if array else stream(some)
    assert READER.all(pieces(data, *sizes)) == some


@pytest.mark.parametrize("data", [b"", b"\x90", b"\xdc\x00\x00", b"\xdd\x00\x00\x00\x00"])
def test_no_items(data: bytes) -> None:
    assert READER.all([data] if data else []) == []
    assert READER.all(pieces(data, 1)) == []


def test_pages_are_bounded() -> None:
    pages = list(Cutter().feed(stream(ITEMS)))
    assert [len(page.ends) for page in pages] == [PAGE, PAGE, 7]


@pytest.mark.parametrize("array", [False, True])
def test_every_truncation_is_noticed(array: bool) -> None:
    some = ITEMS[:3]
    data = msgpack.packb([msgspec.to_builtins(item) for item in some]) if array else stream(some)
    whole = {len(stream(some[:count])) for count in range(4)} if not array else {0, len(data)}
    for end in range(len(data) + 1):
        for cut in ([data[:end]], pieces(data[:end], 1)):
            if end in whole:
                READER.all(cut)
            else:
                with pytest.raises(InvalidArgument):
                    READER.all(cut)


GOOD = stream(ITEMS[:1])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (GOOD + b"\xc1", "not MessagePack"),
        (GOOD + b"\x91" * 3000 + b"\x01", "not MessagePack"),
        (GOOD + b"\x82\xa4path\xa1a\xa4more" + b"\x91" * 1000 + b"\x01", "item 1: "),
        (GOOD + b"\x01", "item 1: Expected `object`, got `int`"),
        (GOOD + msgpack.packb([1]), "item 1: Expected `object`, got `array`"),
        (GOOD + msgpack.packb({"path": 1, "size": 2}), "item 1: Expected `str`, got `int` - at `$.path`"),
        (GOOD + msgpack.packb({"path": b"a", "size": 2}), "item 1: "),
        (GOOD + msgpack.packb({"path": "a"}), "item 1: Object missing required field `size`"),
        (GOOD + msgpack.packb({1: 2}), "item 1: "),
        (GOOD + msgpack.packb({"path": "a", "size": msgpack.ExtType(5, b"x")}), "item 1: Expected `int`, got `ext`"),
        (GOOD + msgpack.packb(msgpack.ExtType(5, b"x")), "item 1: Expected `object`, got `ext`"),
        (GOOD + b"\x82\xa4path\xa1\xff\xa4size\x01", "item 1: "),
        (b"\x91" + GOOD + GOOD, "more after the end of the array"),
        (b"\xdd\xff\xff\xff\xff" + GOOD, "the array lacks 4294967294 items"),
        (b"\x93" + GOOD + b"\x81", "the array lacks 2 items"),
        (GOOD[:-1], "ends within an item"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, text: str) -> None:
    for cut in ([data], pieces(data, 1, 7)):
        with pytest.raises(InvalidArgument) as refused:
            READER.all(cut)
        assert text in refused.value.message


@pytest.mark.parametrize(
    "item",
    [
        msgpack.packb({"path": "a" * MAX_ITEM, "size": 1}),
        b"\xdb\xff\xff\xff\xff" + b"a" * 3 * MAX_ITEM,
        b"\xdd\xff\xff\xff\xff" + b"\xc0" * 3 * MAX_ITEM,
        b"\xdf\xff\xff\xff\xff" + b"\xc0" * 3 * MAX_ITEM,
    ],
)
def test_no_item_is_held_that_is_too_large(item: bytes) -> None:
    for cut in ([GOOD + item], pieces(GOOD + item, 5000, 200_000)):
        with pytest.raises(BodyTooLarge):
            READER.all(cut)


def test_what_is_held_is_bounded_also_when_the_end_never_comes() -> None:
    cutter = Cutter()
    assert list(cutter.feed(b"\x81\xa1a\xdb\x7f\xff\xff\xff")) == []
    for _ in range(MAX_ITEM // 10_000):
        assert list(cutter.feed(b"a" * 10_000)) == []
    with pytest.raises(BodyTooLarge):
        list(cutter.feed(b"a" * 10_000))
    assert len(cutter._rest) <= MAX_ITEM


def test_names() -> None:
    assert is_packed("Application/MsgPack; charset=x")
    assert not is_packed("application/json")
    assert not is_packed(None)
    assert wants_packed("text/html, application/msgpack;q=0.5")
    assert not wants_packed("*/*")
    assert not wants_packed(None)
