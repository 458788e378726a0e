# SPDX-License-Identifier: Apache-2.0
"""The routes of values: the method decides, and a key is never looked into."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.asgi.query import query_reader
from lakehouse.asgi.router import MethodNotAllowed
from lakehouse.core.errors import EndpointNotFound, InvalidArgument
from lakehouse.core.ids import UserId
from lakehouse.core.records import User
from lakehouse.core.signing import Signer
from lakehouse.facades.kv.links import check_signed, signed_url
from lakehouse.facades.kv.routing import KeyRouter
from lakehouse.sdk.kv.storage import key_path
from lakehouse.wire.kv import OPERATIONS, ROOT, SignedQuery


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


@given(st.text() | st.sampled_from(["..", ".", "a/../..", "//", "%2e%2e", "?#;", "\0", "{key}", "list", "get/x"]))
def test_whatever_our_client_sends_comes_out_as_it_went_in(key: str) -> None:
    """Through everything that HTTP libraries do to URLs."""
    routes = router()
    for method, word, name in (("GET", "get", "get_value"), ("HEAD", "get", "value_exists"), ("DELETE", "", None)):
        raw = httpx2.URL(f"http://lake.example{ROOT}{key_path('data', key, word=word)}").raw_path
        found = routes.find(method, raw.removeprefix(ROOT.encode()))
        assert found == (name or "delete_value", {"storage_type": "data", "key": key})


@given(st.text(), st.integers(1, 2**53))
def test_signed_urls_are_ascii_and_say_what_was_signed(key: str, account: int) -> None:
    signer = Signer({"a001": b"k" * 32})
    user = User(UserId(account), "ada", 0)
    url = signed_url(signer, "PUT", user, "tmp", key, endpoint="http://lake.example", times=range(5, 9))
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    query = query_reader(SignedQuery)(str(httpx2.URL(url)).partition("?")[2].encode())
    assert query.key == key
    assert check_signed(signer, "PUT", "tmp", query, now=8) == account
