# SPDX-License-Identifier: Apache-2.0
"""Keys of cached outputs, against those that Flyte itself made."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
from flyteidl.core import identifier_pb2 as identifier_1
from flyteidl.core import interface_pb2 as interface_1
from flyteidl.core import literals_pb2 as literals_1
from flyteidl2.core import identifier_pb2 as identifier_2
from flyteidl2.core import interface_pb2 as interface_2
from flyteidl2.core import literals_pb2 as literals_2
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from lakehouse.core.errors import InvalidArgument
from lakehouse.sdk.cache import Key
from lakehouse.sdk.cache.key import cache_key, dataset_name, dataset_version, tag
from lakehouse.sdk.cache.message_tree import tree_of
from lakehouse.sdk.cache.object_hash import normalised, object_hash

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "flyte-key-vectors.json").read_text())
KINDS = {"v1": (identifier_1, interface_1, literals_1), "v2": (identifier_2, interface_2, literals_2)}


def key_of(version: str, vector: dict[str, Any], *, as_json: bool) -> Key:
    """The key of a vector, from messages or from their JSON."""
    identifiers, interfaces, literals = KINDS[version]

    def part(kind: Any, text: str) -> Any:
        message = kind.FromString(base64.b64decode(text))
        return json.loads(json_format.MessageToJson(message)) if as_json else message

    return Key(
        identifier=part(identifiers.Identifier, vector["identifier"]),
        cache_version=vector["cache_version"],
        cache_ignore_input_vars=tuple(vector["ignore"] or ()),
        typed_interface=part(interfaces.TypedInterface, vector["interface"]),
        inputs=part(literals.LiteralMap, vector["inputs"]),
    )


@pytest.mark.parametrize("as_json", [False, True], ids=["messages", "json"])
@pytest.mark.parametrize("vector", VECTORS["v1"], ids=lambda vector: vector["name"])
def test_names_in_the_catalog_of_flyte_1(vector, as_json):
    key = key_of("v1", vector, as_json=as_json)
    assert dataset_name(key) == vector["dataset_name"]
    assert dataset_version(key) == vector["dataset_version"]
    assert tag(key) == vector["tag"]


@pytest.mark.parametrize("as_json", [False, True], ids=["messages", "json"])
@pytest.mark.parametrize("vector", VECTORS["v2"], ids=lambda vector: vector["name"])
def test_keys_of_flyte_2(vector, as_json):
    assert cache_key(key_of("v2", vector, as_json=as_json)) == vector["key"]


def test_there_are_thirteen():
    assert (len(VECTORS["v1"]), len(VECTORS["v2"])) == (6, 7)


def test_nothing_but_what_counts_changes_a_key():
    key = key_of("v2", VECTORS["v2"][0], as_json=True)
    first = cache_key(key)
    other_version = {**key.identifier, "version": "v9"}
    for identifier in (other_version, {name: value for name, value in key.identifier.items() if name != "version"}):
        assert cache_key(Key(**{**parts(key), "identifier": identifier})) == first
    assert cache_key(Key(**{**parts(key), "cache_version": "x"})) != first
    assert cache_key(Key(**{**parts(key), "identifier": {**key.identifier, "project": "q"}})) != first
    assert str(key) == "p:development:t:v1:cv1"


def parts(key: Key) -> dict[str, Any]:
    return {name: getattr(key, name) for name in key.__struct_fields__}


def test_the_order_of_variables_counts_for_nothing():
    variables = {"a": {"type": {"simple": "INTEGER"}}, "b": {"type": {"simple": "STRING"}}}
    backwards = dict(reversed(variables.items()))
    one, two = (
        Key(identifier={"name": "t"}, cache_version="1", typed_interface={"inputs": {"variables": some}})
        for some in (variables, backwards)
    )
    assert dataset_version(one) == dataset_version(two)


@pytest.mark.parametrize("version", ["", "  "])
def test_flyte_1_demands_a_version(version):
    with pytest.raises(InvalidArgument, match="cache_version"):
        dataset_version(Key(identifier={}, cache_version=version))


def test_what_is_no_key():
    with pytest.raises(InvalidArgument, match="inputs"):
        Key(identifier={}, inputs=b"bytes")
    with pytest.raises(InvalidArgument, match="identifier"):
        Key(identifier="p/d/t")


def test_messages_become_the_json_that_google_makes_of_them():
    literal = literals_1.LiteralMap()
    one = literal.literals["every kind"].map.literals
    one["int"].scalar.primitive.integer = -(1 << 60)
    one["float"].scalar.primitive.float_value = 1e-7
    one["nan"].scalar.primitive.float_value = math.nan
    one["infinite"].scalar.primitive.float_value = -math.inf
    one["bool"].scalar.primitive.boolean = False
    one["time"].scalar.primitive.datetime.FromMilliseconds(1_750_000_000_123)
    one["span"].scalar.primitive.duration.FromMilliseconds(-1500)
    one["bytes"].scalar.binary.value = b"\xff\x00"
    one["enum"].scalar.blob.metadata.type.dimensionality = 1
    one["generic"].scalar.generic.update({"a": [1, "x", None, True, {"b": 1.5}], "c": {}})
    one["list"].collection.literals.add().scalar.none_type.SetInParent()
    assert tree_of(literal) == json.loads(json_format.MessageToJson(literal))
    assert tree_of(Struct()) == {}
    assert tree_of(None) == {}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "+0:"),
        (1, "+0:1"),
        (2, "+1:1"),
        (0.5, "+-1:1"),
        (3, "+2:011"),
        (-0.75, "-0:011"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_normalised_numbers(number, text):
    assert normalised(number) == text


def test_whole_numbers_and_fractions_are_one_kind():
    assert object_hash(1) == object_hash(1.0) != object_hash(True)
    assert object_hash([]) != object_hash({}) != object_hash("") != object_hash(None)
    assert object_hash([1, 2]) != object_hash([2, 1])
    with pytest.raises(TypeError, match="bytes"):
        object_hash(b"")
