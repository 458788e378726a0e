# SPDX-License-Identifier: Apache-2.0
"""Values by key, over HTTP: what the storage client relies on, and what of it is in the lake."""

from __future__ import annotations

import asyncio
from urllib.parse import quote, urlsplit

import pytest

from lakehouse.facades.kv import service
from lakehouse.versioning.work.auto_commit import Schedule, commit_what_waits
from tests.api.people import allow, as_user
from tests.facades.kv.conftest import HOST, ROOT, new_account

pytestmark = pytest.mark.anyio
ODD = [
    " space ",
    "\u00fcber/\u4e16\u754c",
    '"<>[]{}|^`\\',
    "tab\there\nand there",
    "nul\0",
    "a+b;c,d:e@f=g&h'i~j*k!l$m(n)",
    "100%",
    "pc%20t",
    "q?x=1",
    "h#frag",
    "a/../b",
    "..",
    "/lead",
    "dd//x",
    "trail/",
    "list",
    "get/x",
    "get_signed_url/k",
    "signed",
    "{key}",
]


async def test_set_get_and_overwrite(account) -> None:
    assert await account.get("k") == 404
    assert (await account.set("k", b"one")).status_code == 200
    assert await account.get("k") == b"one"
    assert (await account.set("k", b"two", headers={"content-type": "text/html"})).status_code == 200
    answer = await account.key("GET", "k")
    assert answer.content == b"two"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "attachment" in answer.headers["content-disposition"]
    assert "content-encoding" not in answer.headers


async def test_head_has_no_body(account) -> None:
    await account.set("k", b"value")
    there, absent = await account.key("HEAD", "k"), await account.key("HEAD", "absent")
    assert (there.status_code, there.content, there.headers["content-length"]) == (200, b"", "5")
    assert (absent.status_code, absent.content) == (404, b"")


async def test_delete_is_not_idempotent(account) -> None:
    await account.set("k", b"value")
    assert (await account.key("DELETE", "k", word="")).status_code == 204
    again = await account.key("DELETE", "k", word="")
    assert (again.status_code, again.text) == (404, "nothing is stored at key 'k' of storage type 'data'")
    assert again.headers["content-type"] == "text/plain; charset=utf-8"
    assert await account.get("k") == 404


async def test_of_many_deletes_at_once_one_finds_something(account) -> None:
    await account.set("k", b"value")
    answers = await asyncio.gather(*(account.key("DELETE", "k", word="") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [204, *[404] * 7]


@pytest.mark.parametrize("body", [b"", b"x" * 700_000], ids=["empty", "large"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_any_size_and_framing(account, body, chunked) -> None:
    async def pieces():
        for at in range(0, len(body), 100_000):
            yield body[at : at + 100_000]

    assert (await account.set("k", pieces() if chunked else body)).status_code == 200
    answer = await account.key("GET", "k")
    assert answer.content == body
    assert ("content-length" in answer.headers) is (len(body) < 256 * 1024), "large values come in chunks"


async def test_a_range_of_a_value(account) -> None:
    await account.set("k", b"0123456789")
    part = await account.key("GET", "k", headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    beyond = await account.key("GET", "k", headers={"range": "bytes=20-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")


@pytest.mark.parametrize("key", ODD)
async def test_odd_keys(admin, key) -> None:
    assert (await admin.set(key, key.encode(), kind="result")).status_code == 200
    assert await admin.get(key, kind="result") == key.encode()
    assert key in await admin.list(kind="result", prefix=key)
    down = await admin.url("get_signed_url", key, kind="result")
    assert down.isascii()
    assert not down.endswith("\n")
    assert (await admin.bare.get(down)).content == key.encode()
    assert (await admin.key("DELETE", key, kind="result", word="")).status_code == 204
    assert await admin.get(key, kind="result") == 404


async def test_keys_that_cannot_be(account) -> None:
    assert (await account.key("GET", "")).status_code == 404
    assert (await account.key("HEAD", "")).status_code == 404
    assert (await account.key("DELETE", "", word="")).status_code == 404
    for key in ("", "k" * 1025):
        assert (await account.key("GET", key, word="new_resumable_url")).status_code == 400
        assert (await account.key("GET", key, word="get_signed_url")).status_code == 400
    assert (await account.ask("GET", "data/get/%ff")).status_code == 400
    assert (await account.set("k" * 1024, b"x")).status_code == 200


@pytest.mark.parametrize("kind", ["other", "DATA", "data%20", ""])
async def test_unknown_storage_types(account, kind) -> None:
    for method, path in [
        ("GET", "get/k"),
        ("HEAD", "get/k"),
        ("GET", "list"),
        ("GET", "get_signed_url/k"),
        ("GET", "new_resumable_url/k"),
        ("DELETE", "k"),
        ("PUT", "signed?key=k&account=1&issued=1&expires=2&signature=x"),
    ]:
        answer = await account.ask(method, f"{kind}/{path}")
        assert answer.status_code == 400, (method, path)
        assert method == "HEAD" or "use one of data, tmp, result" in answer.text


async def test_other_paths_and_methods(account) -> None:
    for path in ("data", "data/", "data/nothing", "data/list/x", "data/nothing/k"):
        assert (await account.ask("GET", path)).status_code == 404, path
    answer = await account.ask("POST", "data/get/k")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PUT")


async def test_lists_are_literal_sorted_and_of_one_type(account) -> None:
    for key in ("b", "a/2", "a/1", "a*", "A"):
        await account.set(key, b"x")
    await account.set("c", b"x", kind="tmp")
    assert await account.list() == ["A", "a*", "a/1", "a/2", "b"]
    assert await account.list(prefix="") == ["A", "a*", "a/1", "a/2", "b"]
    assert await account.list(prefix="a*") == ["a*"]
    assert await account.list(prefix="a/") == ["a/1", "a/2"]
    assert await account.list(kind="tmp") == ["c"]
    assert await account.list(kind="result") == []


async def test_pages_follow_one_another(account, monkeypatch) -> None:
    monkeypatch.setattr(service, "PAGE", 10)
    keys = [f"k/{number:02}" for number in range(20)]
    for key in ["first", *keys, "last"]:
        await account.set(key, b"x")
    first = await account.ask("GET", "data/list", params={"prefix": "k/"})
    assert first.json() == keys[:10]
    following = first.headers["x-next"]
    assert following.isascii()
    second = await account.ask("GET", "data/list", params={"prefix": "k/"}, headers={"X-NEXT": following})
    assert second.json() == keys[10:]
    assert "x-next" not in second.headers
    whole = await account.ask("GET", "data/list")
    third = await account.ask("GET", "data/list", headers={"X-NEXT": whole.headers["x-next"]})
    assert [*whole.json(), *third.json()] == ["first", *keys[:19]]
    wrong = await account.ask("GET", "data/list", headers={"X-NEXT": "not one of ours!"})
    assert wrong.status_code == 400


def test_a_page_is_what_the_client_knows() -> None:
    assert service.PAGE == 1000


async def test_handing_out_an_url_makes_nothing(account) -> None:
    await account.url("new_resumable_url", "k")
    assert await account.get("k") == 404
    assert await account.list() == []
    found = await account.rest.get(f"/repositories/descartes-data-{account.name}")
    assert found.status_code == 404, "reading and asking for URLs makes no repository"


async def test_values_are_objects_of_a_plain_repository(account) -> None:
    await account.set("dir/file", b"value")
    name = f"descartes-data-{account.name}"
    repository = f"/repositories/{name}"
    found = (await account.rest.get(f"{repository}/metadata")).json()
    assert found["lakehouse.plain"] == "true"
    assert found["lakehouse.descartes-type"] == "data"
    shown = await account.rest.get(f"{repository}/refs/main/objects", params={"path": "dir/file"})
    assert shown.content == b"value"
    diff = (await account.rest.get(f"{repository}/branches/main/diff")).json()
    assert [(one["type"], one["path"]) for one in diff["results"]] == [("added", "dir/file")]
    commit = await account.rest.post(f"{repository}/branches/main/commits", json={"message": "first"})
    assert commit.status_code == 201
    await account.set("dir/file", b"other")
    old = await account.rest.get(f"{repository}/refs/{commit.json()['id']}/objects", params={"path": "dir/file"})
    assert old.content == b"value"
    assert await account.get("dir/file") == b"other"
    await account.rest.put(f"{repository}/branches/main", params={"type": "reset"}, json={"type": "reset"})
    assert await account.get("dir/file") == b"value", "what is undone in the lake is undone here"


async def test_automatic_commits_take_what_is_kept(server, account) -> None:
    """And leave alone what goes by itself: in a commit it would stay."""
    for kind in ("data", "result", "tmp"):
        await account.set("k", b"value", kind=kind)
    await commit_what_waits(server.application._lake, Schedule(changes=1))
    for kind, left in (("data", 0), ("result", 0), ("tmp", 1)):
        diff = await account.rest.get(f"/repositories/descartes-{kind}-{account.name}/branches/main/diff")
        assert len(diff.json()["results"]) == left, kind
        assert await account.get("k", kind=kind) == b"value"


async def test_many_first_values_make_one_repository(server, api) -> None:
    account = await new_account(server, api, "Developers")
    answers = await asyncio.gather(*(account.set(f"k{number}", b"x", kind="result") for number in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len(await account.list(kind="result")) == 8
    found = await account.rest.get("/repositories", params={"prefix": "descartes-result-"})
    assert [one["id"] for one in found.json()["results"]].count(f"descartes-result-{account.name}") == 1
    await account.close()


async def test_accounts_do_not_see_each_other(server, api, account) -> None:
    other = await new_account(server, api, "Developers")
    await account.set("k", b"mine")
    assert await other.get("k") == 404
    await other.set("k", b"theirs")
    assert (await account.get("k"), await other.get("k")) == (b"mine", b"theirs")
    await other.close()


async def test_names_that_repositories_do_not_allow(server, api) -> None:
    account = await new_account(server, api, "Developers", name="Ann O'Neil@example.org")
    await account.set("k", b"value")
    assert await account.get("k") == b"value"
    found = (await account.rest.get("/repositories", params={"prefix": "descartes-data--"})).json()["results"]
    assert len(found) == 1
    await account.close()


async def test_a_repository_of_somebody_else_is_never_taken(server, api) -> None:
    """Neither one that only has the name, nor that of a former user of the same name."""
    assert (await api.post("/repositories", json={"name": "descartes-data-squatted"})).status_code == 201
    account = await new_account(server, api, "Developers", name="squatted")
    await account.set("k", b"value")
    listed = await api.get("/repositories/descartes-data-squatted/refs/main/objects/ls")
    assert listed.json()["results"] == []
    assert await account.get("k") == b"value"
    await account.close()

    former = await new_account(server, api, "Developers", name="twice")
    await former.set("k", b"secret")
    await former.close()
    assert (await api.delete("/auth/users/twice")).status_code == 204
    present = await new_account(server, api, "Developers", name="twice")
    assert await present.get("k") == 404
    await present.set("k", b"other")
    assert await present.get("k") == b"other"
    await present.close()


async def test_permissions_are_those_of_the_lake(server, api) -> None:
    account = await new_account(server, api)
    for method, word in [("GET", "get"), ("HEAD", "get"), ("DELETE", "")]:
        assert (await account.key(method, "k", word=word)).status_code == 403
    for word in ("get_signed_url", "new_resumable_url"):
        refused = await account.key("GET", "k", word=word)
        assert (refused.status_code, "insufficient permissions" in refused.text) == (403, True)
    assert (await account.ask("GET", "data/list")).status_code == 403
    await allow(
        api, account.name, "fs:ReadObject", "fs:WriteObject", on="arn:lakefs:fs:::repository/descartes-data-${user}/*"
    )
    server.clock.now += 1
    assert (await account.set("k", b"x")).status_code == 200
    assert await account.get("k") == b"x"
    assert (await account.key("DELETE", "k", word="")).status_code == 403
    assert (await account.key("GET", "k", kind="tmp", word="new_resumable_url")).status_code == 403
    assert await account.get("k", kind="tmp") == 403
    await account.close()


async def test_who_is_not_known_is_refused(server, account) -> None:
    async with server.client(base_url=ROOT) as nobody:
        for method, path in [("GET", "data/get/k"), ("HEAD", "data/get/k"), ("GET", "data/list"), ("DELETE", "data/k")]:
            refused = await nobody.request(method, f"{ROOT}/{path}")
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
        token = account.http.headers["authorization"].removeprefix("Bearer ")
        head, payload, signature = token.split(".")
        for bad in (f"{head}.{payload}.{signature[::-1]}", "opaque", f"{head}.{payload}.", ""):
            refused = await nobody.get(f"{ROOT}/data/get/k", headers={"authorization": f"Bearer {bad}"})
            assert refused.status_code == 401
        cookie = await nobody.get(f"{ROOT}/data/list", headers={"cookie": f"access_token={token}"})
        assert cookie.status_code == 401, "what browsers send along by themselves counts for nothing"


async def test_basic_credentials_do_as_well(server, api, account) -> None:
    await account.set("k", b"value")
    async with as_user(server, api, account.name) as client:
        assert (await client.get(f"{ROOT}/data/get/k")).content == b"value"


async def test_refusals_are_audited(server, api) -> None:
    account = await new_account(server, api)
    assert (await account.key("DELETE", "k", word="")).status_code == 403
    await server.application._audit.flush()
    query = {"actor": account.name, "operation": "delete_value"}
    [found] = (await api.get("/auth/audit", params=query)).json()["results"]
    assert (found["status_code"], found["resources"]) == (403, {"storage_type": "data", "key": "k"})
    await account.close()


async def test_signed_urls_stand_at_the_callers_host(account) -> None:
    url = urlsplit(await account.url("get_signed_url", "a key"))
    assert f"{url.scheme}://{url.netloc}" == HOST
    assert url.path == "/storage/v1/data/signed"
    assert "key=a%20key&" in url.query


@pytest.mark.parametrize("word", ["get_signed_url", "new_resumable_url"])
async def test_what_is_asked_for_beside_the_key_is_ignored(account, word) -> None:
    answer = await account.ask("GET", f"data/{word}/{quote('k')}?origin=x&several=1&several=2")
    assert answer.status_code == 200
