# SPDX-License-Identifier: Apache-2.0
"""Prefixes over REST: counted, copied, moved; allowed object by object."""

from __future__ import annotations

import msgspec
import pytest

from lakehouse.core.errors import InsufficientPermissions

from .conftest import make, refused

pytestmark = pytest.mark.anyio


@pytest.fixture
async def laid(api):
    """in/1 in/2 in/deep/3, in all 6 bytes; of which in/2 is uncommitted."""
    repo = await make(api)
    await repo.put("in/1", b"1")
    await repo.put("in/deep/3", b"333")
    await repo.commit()
    await repo.put("in/2", b"22")
    return repo


async def test_usage(laid) -> None:
    for ref, prefix, expected in [
        ("main", "", (3, 6)),
        ("main", "in/deep/", (1, 3)),
        ("main@", "in/", (2, 4)),
        ("main~", "", (0, 0)),
        ("main@{0}", "in", (2, 4)),
        ("main", "nothing", (0, 0)),
    ]:
        found = await laid.done("GET", f"/refs/{ref}/objects/usage", params={"prefix": prefix})
        assert found == {"objects": expected[0], "size_bytes": expected[1]}, (ref, prefix)
    assert await laid.done("GET", "/refs/main/objects/usage") == {"objects": 3, "size_bytes": 6}
    refused(await laid.ask("GET", "/refs/nowhere/objects/usage"), 404, "not found")
    refused(await laid.ask("GET", "/refs/main/objects/usage", params={"prefix": "a" * 1025}), 400, "prefix")


async def test_a_copy(laid, server) -> None:
    server.clock.now += 5
    answer = await laid.ask(
        "POST", "/branches/main/objects/copy_prefix", json={"src_prefix": "in/", "dest_prefix": "out/"}
    )
    assert (answer.status_code, answer.json()) == (201, {"objects": 3, "size_bytes": 6})
    assert await laid.paths() == ["in/1", "in/2", "in/deep/3", "out/1", "out/2", "out/deep/3"]
    here, there = [await laid.done("GET", f"/refs/main/objects/stat?path={path}") for path in ("in/1", "out/1")]
    assert there == here | {"path": "out/1"}
    assert (await laid.ask("GET", "/refs/main/objects?path=out/deep/3")).content == b"333"
    again = await laid.ask(
        "POST", "/branches/main/objects/copy_prefix", json={"src_prefix": "in/", "dest_prefix": "out/"}
    )
    refused(again, 412, "path out/1 already exists")
    wish = {"src_prefix": "in/", "dest_prefix": "out/", "overwrite": True, "src_ref": "main@"}
    assert await laid.done("POST", "/branches/main/objects/copy_prefix", json=wish) == {"objects": 2, "size_bytes": 4}


async def test_a_move(laid) -> None:
    answer = await laid.ask(
        "POST", "/branches/main/objects/move_prefix", json={"src_prefix": "in/", "dest_prefix": "out/"}
    )
    assert (answer.status_code, answer.json()) == (200, {"objects": 3, "size_bytes": 6})
    assert await laid.paths() == ["out/1", "out/2", "out/deep/3"]
    await laid.commit("moved")
    assert await laid.diff("/refs/main~/diff/main", type="two_dot") == [
        ("removed", "in/1"),
        ("removed", "in/deep/3"),
        ("added", "out/1"),
        ("added", "out/2"),
        ("added", "out/deep/3"),
    ]
    await laid.done("POST", "/branches/main/objects/move_prefix", json={"src_prefix": "out/", "dest_prefix": "in/"})
    await laid.remove("in/2")
    assert await laid.diff("/refs/main~/diff/main$", type="two_dot") == []


@pytest.mark.parametrize(
    ("branch", "body", "status", "text"),
    [
        ("main", {"src_prefix": "none/", "dest_prefix": "out/"}, 404, "no path begins with 'none/'"),
        ("nowhere", {"src_prefix": "in/", "dest_prefix": "out/"}, 404, "branch not found"),
        ("main", {"src_prefix": "in/"}, 400, "dest_prefix"),
        ("main", {"src_prefix": "in/", "dest_prefix": 1}, 400, "dest_prefix"),
        ("main", {"src_prefix": "in/", "dest_prefix": "o" * 1021 + "/"}, 400, "longer than 1024 bytes"),
        ("main", {"src_prefix": "in/1", "dest_prefix": ""}, 400, "missing path"),
        ("main", {"src_prefix": "in/1", "dest_prefix": "in/2"}, 412, "path in/2 already exists"),
    ],
)
async def test_refused(laid, branch: str, body: dict, status: int, text: str) -> None:
    for verb in ("copy_prefix", "move_prefix"):
        refused(await laid.ask("POST", f"/branches/{branch}/objects/{verb}", json=body), status, text)
    assert await laid.paths() == ["in/1", "in/2", "in/deep/3"]


async def test_refs_and_places_that_are_refused(laid, frozen) -> None:
    same = {"src_prefix": "in/", "dest_prefix": "in/"}
    refused(await laid.ask("POST", "/branches/main/objects/move_prefix", json=same), 400, "same prefix")
    wish = {"src_prefix": "in/", "dest_prefix": "out/", "src_ref": "nowhere"}
    refused(await laid.ask("POST", "/branches/main/objects/copy_prefix", json=wish), 404, "not found")
    refused(await frozen.ask("POST", "/branches/main/objects/copy_prefix", json=wish), 403, "read-only repository")
    await laid.protect("main")
    wish = {"src_prefix": "in/", "dest_prefix": "out/"}
    answer = await laid.ask("POST", "/branches/main/objects/move_prefix", json=wish)
    refused(answer, 403, "cannot write to protected branch")


async def test_a_read_only_repository_by_force(frozen) -> None:
    await frozen.done("POST", "/branches/main/objects", params={"path": "in/1", "force": True}, content=b"1")
    wish = {"src_prefix": "in/", "dest_prefix": "out/"}
    for verb, paths in (("copy", ["in/1", "out/1"]), ("move", ["out/1"])):
        refused(await frozen.ask("POST", f"/branches/main/objects/{verb}_prefix", json=wish), 403, "read-only")
        await frozen.done(
            "POST", f"/branches/main/objects/{verb}_prefix", json=wish | {"force": True, "overwrite": True}
        )
        assert await frozen.paths() == paths


class Picky:
    """May do everything but what is named."""

    def __init__(self, action: str, resource: str) -> None:
        self._refused = (action, resource)

    def authorize(self, user, action, resource):
        if (action, resource) == self._refused:
            raise InsufficientPermissions(f"insufficient permissions: not allowed to {action}")
        return user


@pytest.mark.parametrize(
    ("verb", "of", "status"),
    [
        ("copy", ("fs:ReadObject", "in/deep/3"), 401),
        ("copy", ("fs:WriteObject", "out/deep/3"), 401),
        ("copy", ("fs:DeleteObject", "in/deep/3"), 201),
        ("copy", ("fs:WriteObject", "in/deep/3"), 201),
        ("move", ("fs:ReadObject", "in/2"), 401),
        ("move", ("fs:DeleteObject", "in/deep/3"), 401),
        ("move", ("fs:WriteObject", "out/2"), 401),
    ],
)
async def test_one_object_that_is_not_allowed_stops_all(laid, server, monkeypatch, verb, of, status) -> None:
    action, path = of
    side = server.application._api
    picky = Picky(action, f"repository/{laid.name}/object/{path}")
    monkeypatch.setattr(side, "_context", msgspec.structs.replace(side._context, checker=picky))
    wish = {"src_prefix": "in/", "dest_prefix": "out/"}
    answer = await laid.ask("POST", f"/branches/main/objects/{verb}_prefix", json=wish)
    assert answer.status_code == status, answer.text
    if status == 401:
        refused(answer, 401, f"insufficient permissions: not allowed to {action}")
        assert await laid.paths() == ["in/1", "in/2", "in/deep/3"]
