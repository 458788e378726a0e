# SPDX-License-Identifier: Apache-2.0
"""Signed URLs of values: good for one method and one key, for a while, and no longer than their account."""

from __future__ import annotations

import re

import pytest

from lakehouse.core.signing import Signer
from lakehouse.facades.kv import links
from tests.api.people import allow, made
from tests.facades.kv.conftest import new_account

pytestmark = pytest.mark.anyio


async def test_they_need_no_header_and_heed_none(account) -> None:
    url = await account.url("new_resumable_url", "k")
    for headers in ({}, {"authorization": "Basic bm9ib2R5Om5vdGhpbmc="}, {"content-type": "multipart/form-data"}):
        answer = await account.bare.put(url, content=b"value", headers=headers)
        assert answer.status_code == 200
        assert await account.get("k") == b"value"
    down = await account.url("get_signed_url", "k")
    answer = await account.bare.get(down)
    assert (answer.content, answer.headers["content-length"]) == (b"value", "5")
    assert (await account.bare.head(down)).status_code == 200
    assert (await account.bare.get(down, headers={"range": "bytes=1-2"})).content == b"al"


async def test_they_are_bound_to_their_method(account) -> None:
    up, down = await account.url("new_resumable_url", "k"), await account.url("get_signed_url", "k")
    assert (await account.bare.put(down, content=b"x")).status_code == 403
    assert (await account.bare.get(up)).status_code == 403
    assert (await account.bare.head(up)).status_code == 403
    for url in (up, down):
        assert (await account.bare.delete(url)).status_code == 401, "which needs a token"
    assert await account.get("k") == 404


async def test_nothing_of_them_can_be_changed(server, api, account) -> None:
    other = await new_account(server, api, "Developers")
    foreign = re.search(r"account=(\d+)", await other.url("new_resumable_url", "k"))
    url = await account.url("new_resumable_url", "k")
    changed = [
        url.replace("key=k", "key=other"),
        url.replace("/data/", "/result/"),
        re.sub(r"account=\d+", foreign.group(), url),
        re.sub(r"issued=\d+", "issued=1", url),
        re.sub(r"expires=\d+", "expires=99999999999", url),
        re.sub(r"signature=.", "signature=!", url),
        re.sub(r"signature=.*", "signature=", url),
        re.sub(r"signature=.*", "signature=%C3%A9", url),
    ]
    for one in changed:
        assert one != url
        assert (await account.bare.put(one, content=b"x")).status_code == 403, one
    for one in (url.partition("&signature")[0], url.partition("?")[0], url.replace("account=", "account=x")):
        assert (await account.bare.put(one, content=b"x")).status_code == 400, one
    assert await account.list() == []
    await other.close()


async def test_they_expire(server, account) -> None:
    url = await account.url("new_resumable_url", "k")
    server.clock.now += 899
    assert (await account.bare.put(url, content=b"x")).status_code == 200
    server.clock.now += 1
    late = await account.bare.put(url, content=b"late")
    assert (late.status_code, late.text) == (403, "this URL has expired: ask for a new one")
    assert await account.get("k") == b"x"


async def test_they_end_with_what_their_account_may(server, api) -> None:
    account = await new_account(server, api)
    policy = await allow(api, account.name, "fs:*", on="arn:lakefs:fs:::repository/descartes-*")
    server.clock.now += 1
    url = await account.url("new_resumable_url", "k")
    assert (await account.bare.put(url, content=b"x")).status_code == 200
    await made(api.delete(f"/auth/users/{account.name}/policies/{policy}"), 204)
    server.clock.now += 1
    assert (await account.bare.put(url, content=b"y")).status_code == 403
    await account.close()


async def test_they_end_with_the_sessions_and_with_the_account(server, api) -> None:
    account = await new_account(server, api, "Developers")
    url = await account.url("new_resumable_url", "k")
    server.clock.now += 1
    await made(api.delete(f"/auth/users/{account.name}/sessions"), 204)
    assert (await account.bare.put(url, content=b"x")).status_code == 401
    await account.close()

    gone = await new_account(server, api, "Developers")
    url = await gone.url("new_resumable_url", "k")
    await made(api.delete(f"/auth/users/{gone.name}"), 204)
    assert (await gone.bare.put(url, content=b"x")).status_code == 401
    await gone.close()


def test_a_signature_of_another_purpose_or_server_is_none() -> None:
    """What the same key signs for something else can never pass for a URL."""
    mine, other = Signer({"a001": b"k" * 32}), Signer({"a001": b"x" * 32})

    class User:
        id = 7

    url = links.signed_url(mine, "GET", User(), "data", "k", endpoint="http://h", times=range(10, 20))
    signature = url.rpartition("signature=")[2]
    query = links.SignedQuery(key="k", account=7, issued=10, expires=20, signature=signature)
    assert links.check_signed(mine, "GET", "data", query, now=19) == 7
    with pytest.raises(links.PermissionDenied):
        links.check_signed(other, "GET", "data", query, now=19)
    with pytest.raises(links.PermissionDenied):
        links.check_signed(mine, "PUT", "data", query, now=19)
