# SPDX-License-Identifier: Apache-2.0
"""Our codec against Google's library and Flyte's own definitions: the same bytes, the same values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flyteidl2.cacheservice import cacheservice_pb2 as base
from flyteidl2.cacheservice.v2 import cacheservice_pb2 as v2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.core.errors import InvalidArgument
from lakehouse.facades.cache import binary, json_form, messages
from lakehouse.facades.cache.messages import Kind, Shape

PAIRS = [
    (messages.GET_REQUEST, v2.GetCacheRequest),
    (messages.GET_RESPONSE, base.GetCacheResponse),
    (messages.PUT_REQUEST, v2.PutCacheRequest),
    (messages.PUT_RESPONSE, base.PutCacheResponse),
    (messages.DELETE_REQUEST, v2.DeleteCacheRequest),
    (messages.DELETE_RESPONSE, base.DeleteCacheResponse),
    (messages.CLAIM_REQUEST, v2.GetOrExtendReservationRequest),
    (messages.CLAIM_RESPONSE, base.GetOrExtendReservationResponse),
    (messages.RELEASE_REQUEST, v2.ReleaseReservationRequest),
    (messages.RELEASE_RESPONSE, base.ReleaseReservationResponse),
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NANOS = st.one_of(st.sampled_from([0, 1_000, 1_000_000, 500_000_000]), st.integers(0, 999_999_999))


def values(kind: Kind, of: Shape | None) -> st.SearchStrategy[Any]:
    """Values of one kind of field, none of them its default where that means absence."""
    match kind:
        case Kind.TEXT:
            return TEXT
        case Kind.BOOL:
            return st.booleans()
        case Kind.RESOURCE:
            return st.integers(0, 6)
        case Kind.TIME:
            return st.tuples(st.integers(0, 253_402_300_799), NANOS)
        case Kind.INTERVAL:
            spans = st.tuples(st.integers(0, 315_576_000_000), NANOS)
            return st.builds(lambda span, sign: (sign * span[0], sign * span[1]), spans, st.sampled_from([1, -1]))
        case Kind.TEXTS:
            return st.dictionaries(TEXT, TEXT, min_size=1, max_size=4)
        case Kind.MESSAGE:
            assert of is not None
            return filled(of)
    raise AssertionError(kind)


def filled(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Messages of a shape, any of the fields absent. Literals stay away: they are another test's."""
    fields = {one.name: values(one.kind, one.of) for one in shape.fields if one.kind is not Kind.OPAQUE}
    return st.fixed_dictionaries({}, optional=fields)


def kept(shape: Shape, message: dict[str, Any]) -> dict[str, Any]:
    """What is left of a message when defaults that are not sent are gone."""
    left = {}
    for field in shape.fields:
        if field.name not in message:
            continue
        value = message[field.name]
        if field.kind is Kind.MESSAGE:
            left[field.name] = kept(field.of, value)
        elif value or field.alone or field.kind in (Kind.TIME, Kind.INTERVAL):
            left[field.name] = value
    return left


def put_into(proto: Any, shape: Shape, message: dict[str, Any]) -> None:
    """Fill Google's message with what a dict says."""
    for field in shape.fields:
        if field.name not in message:
            continue
        value = message[field.name]
        if field.kind is Kind.MESSAGE:
            getattr(proto, field.name).SetInParent()
            put_into(getattr(proto, field.name), field.of, value)
        elif field.kind in (Kind.TIME, Kind.INTERVAL):
            inner = getattr(proto, field.name)
            inner.SetInParent()
            inner.seconds, inner.nanos = value
        elif field.kind is Kind.TEXTS:
            getattr(proto, field.name).update(value)
        else:
            setattr(proto, field.name, value)


@pytest.mark.parametrize(("shape", "theirs"), PAIRS, ids=lambda value: getattr(value, "name", ""))
def test_shapes_are_those_of_the_definitions(shape, theirs):
    def compare(ours: Shape, descriptor: Any) -> None:
        assert ours.name == descriptor.full_name
        assert [(one.number, one.name, one.camel) for one in ours.fields] == [
            (one.number, one.name, one.json_name) for one in descriptor.fields
        ]
        for field, other in zip(ours.fields, descriptor.fields, strict=True):
            assert bool(field.alone) == (other.containing_oneof is not None)
            if field.kind is Kind.MESSAGE:
                compare(field.of, other.message_type)

    compare(shape, theirs.DESCRIPTOR)


@pytest.mark.parametrize(("shape", "theirs"), PAIRS, ids=lambda value: getattr(value, "name", ""))
@given(data=st.data())
def test_the_same_bytes_and_the_same_values(shape, theirs, data):
    message = data.draw(filled(shape))
    proto = theirs()
    put_into(proto, shape, message)
    raw, ours = proto.SerializeToString(deterministic=True), binary.encode(shape, message)
    assert theirs.FromString(ours) == proto
    assert ours == raw or (sorted(ours) == sorted(raw) and "key_map" in str(message)), "maps have no order of their own"
    assert binary.decode(shape, raw) == kept(shape, message)
    text = json_form.encode(shape, message)
    assert json.loads(text) == json.loads(json_format.MessageToJson(proto))
    assert json_format.Parse(text, theirs()) == proto
    for options in ({}, {"preserving_proto_field_name": True}, {"use_integers_for_enums": True}):
        sent = json_format.MessageToJson(proto, **options).encode()
        assert json_form.decode(shape, sent) == kept(shape, message)


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(raw):
    """Whatever Google's library reads, we read as the same; what we refuse, it refuses."""
    try:
        ours = binary.decode(messages.CLAIM_REQUEST, raw)
    except InvalidArgument:
        ours = None
    theirs = v2.GetOrExtendReservationRequest()
    try:
        theirs.ParseFromString(raw)
    except Exception:
        return
    assert ours is not None
    assert ours.get("base_request", {}).get("key", "") == theirs.base_request.key
    assert ours.get("identifier", {}).get("org", "") == theirs.identifier.org


def test_a_whole_answer_byte_for_byte():
    theirs = base.GetCacheResponse(output=base.CachedOutput(output_uri="s3://a/b"))
    theirs.output.metadata.source_identifier.resource_type = 1
    theirs.output.metadata.source_identifier.name = "task ü"
    theirs.output.metadata.key_map.values["execution-name"] = ""
    theirs.output.metadata.created_at.seconds, theirs.output.metadata.created_at.nanos = 1_750_000_000, 500_000
    theirs.output.metadata.last_updated_at.SetInParent()
    metadata = {
        "source_identifier": {"resource_type": 1, "name": "task ü"},
        "key_map": {"values": {"execution-name": ""}},
        "created_at": (1_750_000_000, 500_000),
        "last_updated_at": (0, 0),
    }
    answer = {"output": {"output_uri": "s3://a/b", "metadata": metadata}}
    assert binary.encode(messages.GET_RESPONSE, answer) == theirs.SerializeToString()


def test_what_comes_twice_is_merged_and_the_last_counts():
    one = base.PutCacheRequest(key="a", output=base.CachedOutput(output_uri="u"))
    one.output.metadata.key_map.values["a"] = "1"
    two = base.PutCacheRequest(key="b")
    two.output.metadata.key_map.values["b"] = "2"
    two.output.metadata.created_at.seconds = 5
    shape = messages.PUT_REQUEST.fields[0].of
    merged = binary.decode(shape, one.SerializeToString() + two.SerializeToString())
    assert merged["key"] == "b"
    assert merged["output"]["metadata"]["key_map"]["values"] == {"a": "1", "b": "2"}
    assert merged["output"]["metadata"]["created_at"] == (5, 0)


def test_of_literals_and_uri_the_last_counts():
    literals = base.CachedOutput()
    literals.output_literals.literals["a"].scalar.primitive.integer = 1
    uri = base.CachedOutput(output_uri="")
    raw = literals.SerializeToString()
    found = binary.decode(messages.OUTPUT, raw)
    assert found == {"output_literals": literals.output_literals.SerializeToString()}
    assert binary.encode(messages.OUTPUT, found) == raw
    assert binary.decode(messages.OUTPUT, raw + uri.SerializeToString()) == {"output_uri": ""}
    assert "output_literals" in binary.decode(messages.OUTPUT, uri.SerializeToString() + raw)
    assert json_form.decode(messages.OUTPUT, json_format.MessageToJson(literals).encode()) == {"output_literals": b""}


def test_unknown_fields_and_foreign_forms_are_skipped():
    known = binary.encode(messages.IDENTIFIER, {"org": "o"})
    unknown = b"\x98\x06\x05\xa1\x06" + b"12345678" + b"\xad\x06" + b"1234" + b"\xb2\x06\x02ab"
    group = b"\xbb\x06\x08\x01\xbc\x06"
    assert binary.decode(messages.IDENTIFIER, unknown + group + known + b"\x08\x05") == {"org": "o"}
    assert json_form.decode(messages.IDENTIFIER, b'{"org": "o", "later": [1]}') == {"org": "o"}
    assert json_form.decode(messages.IDENTIFIER, b'{"org": null}') == {}


@pytest.mark.parametrize(
    "raw",
    [b"\x0a", b"\x0a\x05a", b"\x0a\x01\xff", b"\x00\x00", b"\x0e", b"\x80" * 11, b"\x0b", b"\x0c", b"\x09123"],
)
def test_bytes_that_are_no_message(raw):
    with pytest.raises(InvalidArgument):
        binary.decode(messages.IDENTIFIER, raw)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{",
        '{"baseRequest": 1}',
        '{"baseRequest": {"key": 1}}',
        '{"baseRequest": {"output": {"outputUri": "a", "outputLiterals": {}}}}',
        '{"baseRequest": {"output": {"outputLiterals": 1}}}',
        '{"baseRequest": {"output": {"metadata": {"createdAt": 1}}}}',
        '{"baseRequest": {"output": {"metadata": {"createdAt": "2026-13-01T00:00:00Z"}}}}',
        '{"baseRequest": {"output": {"metadata": {"createdAt": "2026-01-01"}}}}',
        '{"baseRequest": {"output": {"metadata": {"keyMap": {"values": {"a": 1}}}}}}',
        '{"baseRequest": {"output": {"metadata": {"sourceIdentifier": {"resourceType": "NOPE"}}}}}',
        '{"baseRequest": {"output": {"metadata": {"sourceIdentifier": {"resourceType": true}}}}}',
        '{"baseRequest": {"overwrite": {"overwrite": 1}}}',
        '{"baseRequest": {"overwrite": {"maxAge": "1"}}}',
        '{"baseRequest": {"overwrite": {"maxAge": 1}}}',
        '{"baseRequest": {"overwrite": {"maxAge": "1.5.s"}}}',
    ],
)
def test_json_that_is_no_message(text):
    with pytest.raises(InvalidArgument):
        json_form.decode(messages.PUT_REQUEST, text.encode())


def test_times_with_offsets():
    assert json_form.parse_time("t", "1970-01-01T01:00:00.5+01:00") == (0, 500_000_000)
    assert json_form.parse_interval("i", "-1.000000001s") == (-1, -1)
