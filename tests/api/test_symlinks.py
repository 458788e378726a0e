# SPDX-License-Identifier: Apache-2.0
"""Symlink files over REST: what they list, where they are, and what becomes of old ones."""

from __future__ import annotations

import pytest

from .conftest import Repo, refused
from .people import allow, as_user, make_user

pytestmark = pytest.mark.anyio


async def files(server, repo: Repo) -> dict[str, list[str]]:
    """The symlink files in the store: their keys below the namespace, and their lines."""
    lake = server.application._lake
    record = await repo.done("GET")
    address = record["storage_namespace"].removeprefix("s3://")
    bucket, _, prefix = address.partition("/")
    found, more = await lake.stores.default.objects.list(bucket, prefix=f"{prefix}_lakehouse/symlinks/")
    assert not more
    out = {}
    for one in found:
        reader = await lake.stores.default.objects.get(lake.stores.locate(f"s3://{bucket}/{one.key}", "")[1])
        out[one.key.removeprefix(f"{prefix}_lakehouse/symlinks/")] = (await reader.read()).decode().splitlines()
    return out


async def physical(repo: Repo, path: str) -> str:
    stats = await repo.done("GET", "/refs/main/objects/stat", params={"path": path})
    return stats["physical_address"]


async def test_each_folder_lists_its_own_objects(repo, server) -> None:
    for path in ("t/d=1/a", "t/d=1/b", "t/d=1/c/deep", "t/d=1/z", "t/d=2/a", "t/top", "t2/no", "root"):
        await repo.put(path)
    await repo.commit()
    await repo.put("t/d=2/staged")
    answer = await repo.ask("POST", "/refs/main/symlink", params={"location": "t"})
    assert answer.status_code == 201
    namespace = (await repo.done("GET"))["storage_namespace"]
    assert answer.json() == {"location": f"{namespace}_lakehouse/symlinks/main/t/"}
    found = await files(server, repo)
    assert found == {
        "main/t/symlink.txt": [await physical(repo, "t/top")],
        "main/t/d=1/symlink.txt": [await physical(repo, f"t/d=1/{name}") for name in "abz"],
        "main/t/d=1/c/symlink.txt": [await physical(repo, "t/d=1/c/deep")],
        "main/t/d=2/symlink.txt": [await physical(repo, "t/d=2/a"), await physical(repo, "t/d=2/staged")],
    }


async def test_written_again_nothing_old_stays(repo, server) -> None:
    for path in ("t/d=1/a", "t/d=2/a", "other/a"):
        await repo.put(path)
    await repo.done("POST", "/refs/main/symlink")
    assert set(await files(server, repo)) == {
        "main/other/symlink.txt",
        "main/t/d=1/symlink.txt",
        "main/t/d=2/symlink.txt",
    }
    await repo.remove("t/d=1/a")
    await repo.remove("other/a")
    answer = await repo.done("POST", "/refs/main/symlink", params={"location": "t/"})
    assert answer["location"].endswith("/main/t/")
    assert set(await files(server, repo)) == {"main/other/symlink.txt", "main/t/d=2/symlink.txt"}


async def test_an_empty_branch_has_none(repo, server) -> None:
    await repo.done("POST", "/refs/main/symlink")
    assert await files(server, repo) == {}


async def test_what_is_refused(repo, api, nobody, server) -> None:
    refused(await Repo(api, "no-such-repository").ask("POST", "/refs/main/symlink"), 404, "repository not found")
    refused(await repo.ask("POST", "/refs/no-branch/symlink"), 404, "branch not found")
    refused(await nobody.post(f"{repo.url}/refs/main/symlink"), 401, "error authenticating request")
    user = await make_user(api)
    async with as_user(server, api, user) as client:
        asked = {"location": "t/x"}
        refused(await client.post(f"{repo.url}/refs/main/symlink", params=asked), 401, "insufficient permissions")
        await allow(api, user, "fs:WriteObject", on=f"arn:lakefs:fs:::repository/{repo.name}/object/t/*")
        assert (await client.post(f"{repo.url}/refs/main/symlink", params=asked)).status_code == 201
        refused(await client.post(f"{repo.url}/refs/main/symlink"), 401, "insufficient permissions")
