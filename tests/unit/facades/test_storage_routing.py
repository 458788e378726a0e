# SPDX-License-Identifier: Apache-2.0
"""The routes of values: the method decides, and a key is never looked into."""

from __future__ import annotations

import pytest

from lakehouse.asgi.router import MethodNotAllowed
from lakehouse.core.errors import EndpointNotFound, InvalidArgument
from lakehouse.facades.kv.routing import KeyRouter
from lakehouse.wire.kv import OPERATIONS


def router() -> KeyRouter[str]:
    made: KeyRouter[str] = KeyRouter()
    for operation in OPERATIONS:
        made.add(operation.method, operation.path, operation.name)
    return made


@pytest.mark.parametrize(
    ("method", "path", "name", "key"),
    [
        ("GET", b"/data/get/k", "get_value", "k"),
        ("GET", b"/data/get/", "get_value", ""),
        ("GET", b"/data/get/list", "get_value", "list"),
        ("GET", b"/data/get//a//b/", "get_value", "/a//b/"),
        ("GET", b"/data/get/a%2Fb%20c+d", "get_value", "a/b c+d"),
        ("GET", b"/data/get/get_signed_url/k", "get_value", "get_signed_url/k"),
        ("HEAD", b"/data/get/get/x", "value_exists", "get/x"),
        ("GET", b"/data/get_signed_url/k", "get_signed_url", "k"),
        ("GET", b"/data/new_resumable_url/get/k", "new_resumable_url", "get/k"),
        ("DELETE", b"/data/k", "delete_value", "k"),
        ("DELETE", b"/data/list", "delete_value", "list"),
        ("DELETE", b"/data/get/x", "delete_value", "get/x"),
        ("DELETE", b"/data/%7Bkey%7D", "delete_value", "{key}"),
        ("DELETE", b"/data/", "delete_value", ""),
        ("DELETE", b"/data/signed", "delete_value", "signed"),
        ("GET", b"/data/list", "list_keys", None),
        ("GET", b"/data/signed", "download_signed", None),
        ("HEAD", b"/data/signed", "look_at_signed", None),
        ("PUT", b"/data/signed", "upload_signed", None),
    ],
)
def test_routes(method: str, path: bytes, name: str, key: str | None) -> None:
    expected = {"storage_type": "data"} | ({} if key is None else {"key": key})
    assert router().find(method, path) == (name, expected)


@pytest.mark.parametrize("path", [b"/data", b"", b"/", b"/data/", b"/data/x", b"/data/list/x", b"/data/%67et/k"])
def test_what_leads_nowhere(path: bytes) -> None:
    with pytest.raises(EndpointNotFound):
        router().find("GET", path)


def test_what_is_not_text_and_other_methods() -> None:
    with pytest.raises(InvalidArgument):
        router().find("GET", b"/data/get/%ff")
    with pytest.raises(MethodNotAllowed) as caught:
        router().find("POST", b"/data/get/k")
    assert caught.value.allowed == ("DELETE", "GET", "HEAD", "PUT")


def test_a_route_is_taken_once() -> None:
    with pytest.raises(ValueError, match="two operations"):
        router().add("DELETE", "/{storage_type}/{key}", "other")
    with pytest.raises(ValueError, match="two operations"):
        router().add("GET", "/{storage_type}/get/{key}", "other")
    with pytest.raises(ValueError, match="two operations"):
        router().add("GET", "/{storage_type}/list", "other")
