# SPDX-License-Identifier: Apache-2.0
# environment: today
"""lakefs-sdk: setup, login, repositories, branches, tags, commits, log, diff, merge, reset."""

from __future__ import annotations

import json
import time

import checks
import lakefs_sdk
from checks import API, KEY, SECRET, equal, fails, fresh, namespace
from lakefs_sdk.client import LakeFSClient
from lakefs_sdk.exceptions import (
    ApiException,
    BadRequestException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
)

LAKE = LakeFSClient(lakefs_sdk.Configuration(host=API, username=KEY, password=SECRET))
BRANCHES = LAKE.branches_api
REPOSITORIES = LAKE.repositories_api
TAGS = LAKE.tags_api
REFS = LAKE.refs_api


def new_repository() -> str:
    name = fresh("versions")
    REPOSITORIES.create_repository(lakefs_sdk.RepositoryCreation(name=name, storage_namespace=namespace(name)))
    return name


def put(repository: str, branch: str, path: str, data: str) -> None:
    LAKE.objects_api.upload_object(repository, branch, path, content=data.encode())


def read(repository: str, ref: str, path: str) -> str:
    return bytes(LAKE.objects_api.get_object(repository, ref, path)).decode()


def commit(repository: str, branch: str = "main", message: str = "m", **more: object) -> lakefs_sdk.Commit:
    return LAKE.commits_api.commit(repository, branch, lakefs_sdk.CommitCreation(message=message, **more))


def branch(repository: str, name: str, source: str = "main", **more: object) -> str:
    return str(BRANCHES.create_branch(repository, lakefs_sdk.BranchCreation(name=name, source=source, **more)))


def merge(repository: str, source: str, destination: str, **more: object) -> str:
    answer = REFS.merge_into_branch(repository, source, destination, merge=lakefs_sdk.Merge(**more))
    return str(answer.reference)


def changes(diff: lakefs_sdk.DiffList) -> list[tuple[str, str]]:
    return [(change.type, change.path) for change in diff.results]


def check_health_setup_config() -> None:
    equal(LAKE.health_check_api.health_check_with_http_info().status_code, 204)
    state = LAKE.internal_api.get_setup_state()
    equal(state.state, "initialized")
    equal(state.login_config.rbac, "internal")
    with fails(ApiException, status=409, says="already initialized"):
        LAKE.internal_api.setup(lakefs_sdk.Setup(username="again"))
    config = LAKE.config_api.get_config()
    storage = config.storage_config
    equal((storage.blockstore_type, storage.pre_sign_support), ("s3", True))
    equal(storage.blockstore_namespace_validity_regex, "^s3://")
    equal(storage.blockstore_namespace_example, "s3://lake.local/my-repo/")
    numbers = [int(part) for part in config.version_config.version.split(".")]
    equal(len(numbers), 3)
    assert numbers >= [1, 60, 0], numbers


def check_user_and_login() -> None:
    user = LAKE.auth_api.get_current_user().user
    assert user.id
    assert 0 < user.creation_date <= time.time() + 1
    login = LAKE.auth_api.login(lakefs_sdk.LoginInformation(access_key_id=KEY, secret_access_key=SECRET))
    assert login.token_expiration > time.time()
    bearer = LakeFSClient(lakefs_sdk.Configuration(host=API, access_token=login.token))
    equal(bearer.auth_api.get_current_user().user.id, user.id)
    with fails(UnauthorizedException, status=401, says="error authenticating request"):
        LAKE.auth_api.login(lakefs_sdk.LoginInformation(access_key_id=KEY, secret_access_key="no"))
    with fails(UnauthorizedException, status=401, says="error authenticating request"):
        LakeFSClient(lakefs_sdk.Configuration(host=API, username="no", password="no")).config_api.get_config()


def check_session_cookie() -> None:
    """Browsers and clients of today have the cookie `internal_auth_session`."""
    login = LAKE.auth_api.login_with_http_info(lakefs_sdk.LoginInformation(access_key_id=KEY, secret_access_key=SECRET))
    jar = login.headers.getlist("Set-Cookie")
    session = next(cookie for cookie in jar if cookie.startswith("internal_auth_session="))
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
    pair = session.split(";", 1)[0]
    client = LakeFSClient(lakefs_sdk.Configuration(host=API), cookie=pair)
    assert client.auth_api.get_current_user().user.id


def check_create_repository() -> None:
    name = fresh("versions")
    made = REPOSITORIES.create_repository(
        lakefs_sdk.RepositoryCreation(name=name, storage_namespace=namespace(name), default_branch="trunk")
    )
    equal((made.id, made.default_branch, made.storage_namespace), (name, "trunk", namespace(name)))
    assert made.creation_date <= time.time() + 1
    equal(REPOSITORIES.get_repository(name).default_branch, "trunk")
    first = LAKE.commits_api.get_commit(name, "trunk")
    equal((first.message, first.meta_range_id, first.parents, first.committer), ("Repository created", "", [], ""))
    equal(BRANCHES.get_branch(name, "trunk").commit_id, first.id)


def check_create_repository_errors() -> None:
    name = new_repository()
    with fails(ApiException, status=409, says="error creating repository: not unique"):
        REPOSITORIES.create_repository(
            lakefs_sdk.RepositoryCreation(name=name, storage_namespace=namespace(name + "-b"))
        )
    for wrong in ("ab", "Upper", "-dash", "under_score", "dot.dot", "a" * 64):
        status, _, _ = checks.http(
            "POST", "/repositories", body={"name": wrong, "storage_namespace": "s3://lake.local/x"}
        )
        equal((wrong, status), (wrong, 400))
    other = fresh("versions")
    for wrong in ("ftp://x/y", "s3://", "s3://somebody-elses-bucket/x", "/etc", "s3://lake.local/a/../b"):
        status, _, _ = checks.http("POST", "/repositories", body={"name": other, "storage_namespace": wrong})
        equal((wrong, status), (wrong, 400))
    with fails(BadRequestException, status=400):
        REPOSITORIES.create_repository(lakefs_sdk.RepositoryCreation(name=other, storage_namespace=namespace(name)))
    with fails(BadRequestException, status=400):
        REPOSITORIES.create_repository(
            lakefs_sdk.RepositoryCreation(name=other, storage_namespace=namespace(other), storage_id="nowhere")
        )
    with fails(NotFoundException, status=404, says="repository not found"):
        REPOSITORIES.get_repository(other)


def check_namespace_may_be_left_out() -> None:
    name = fresh("versions")
    status, _, body = checks.http("POST", "/repositories", body={"name": name})
    equal(status, 201)
    chosen = json.loads(body)["storage_namespace"]
    assert chosen.startswith(f"s3://lake.local/{name}/"), chosen
    put(name, "main", "a", "a")
    equal(read(name, "main", "a"), "a")


def check_list_and_delete_repositories() -> None:
    prefix = fresh("list")
    names = [f"{prefix}-{n}" for n in range(3)]
    for name in names:
        REPOSITORIES.create_repository(lakefs_sdk.RepositoryCreation(name=name, storage_namespace=namespace(name)))
    page = REPOSITORIES.list_repositories(prefix=prefix, amount=2)
    equal([item.id for item in page.results], names[:2])
    equal((page.pagination.has_more, page.pagination.next_offset), (True, names[1]))
    page = REPOSITORIES.list_repositories(prefix=prefix, after=names[1])
    equal([item.id for item in page.results], names[2:])
    equal([item.id for item in REPOSITORIES.list_repositories(search=f"{prefix[3:]}-1").results], [names[1]])
    REPOSITORIES.delete_repository(names[1])
    equal([item.id for item in REPOSITORIES.list_repositories(prefix=prefix).results], [names[0], names[2]])
    with fails(NotFoundException, status=404):
        REPOSITORIES.delete_repository(names[1])
    with fails(NotFoundException, status=404):
        LAKE.objects_api.list_objects(names[1], "main")


def check_repository_metadata() -> None:
    name = new_repository()
    LAKE.internal_api.set_repository_metadata(name, lakefs_sdk.RepositoryMetadataSet(metadata={"a": "1", "b": "2"}))
    LAKE.internal_api.set_repository_metadata(name, lakefs_sdk.RepositoryMetadataSet(metadata={"b": "3"}))
    equal(REPOSITORIES.get_repository_metadata(name), {"a": "1", "b": "3"})
    LAKE.internal_api.delete_repository_metadata(name, lakefs_sdk.RepositoryMetadataKeys(keys=["a", "absent"]))
    equal(REPOSITORIES.get_repository_metadata(name), {"b": "3"})


def check_branches() -> None:
    name = new_repository()
    put(name, "main", "committed", "c")
    head = commit(name).id
    put(name, "main", "staged", "s")
    equal(branch(name, "dev"), head)
    equal(BRANCHES.get_branch(name, "dev").commit_id, head)
    with fails(NotFoundException, status=404):
        read(name, "dev", "staged")
    branch(name, "dev2", f"{head[:10]}~1")
    branch(name, "secret", "main", hidden=True)
    equal([item.id for item in BRANCHES.list_branches(name).results], ["dev", "dev2", "main"])
    equal([item.id for item in BRANCHES.list_branches(name, prefix="dev", after="dev").results], ["dev2"])
    equal([item.id for item in BRANCHES.list_branches(name, show_hidden=True).results][-1], "secret")
    equal(BRANCHES.get_branch(name, "secret").commit_id, head)
    BRANCHES.delete_branch(name, "dev")
    with fails(NotFoundException, status=404, says="branch not found"):
        BRANCHES.get_branch(name, "dev")
    with fails(NotFoundException, status=404):
        BRANCHES.delete_branch(name, "dev")
    with fails(ForbiddenException, status=403, says="cannot delete repository default branch"):
        BRANCHES.delete_branch(name, "main")


def check_branch_errors() -> None:
    name = new_repository()
    with fails(ApiException, status=409, says="branch already exists: not unique"):
        branch(name, "main")
    for wrong in ("a/b", "a.b", "-a", "a b", ""):
        with fails(BadRequestException, status=400):
            branch(name, wrong)
    with fails(NotFoundException, status=404):
        branch(name, "dev", "absent")
    TAGS.create_tag(name, lakefs_sdk.TagCreation(id="v1", ref="main"))
    with fails(ApiException, status=409):
        branch(name, "v1")


def check_tags() -> None:
    name = new_repository()
    put(name, "main", "a", "a")
    head = commit(name).id
    made = TAGS.create_tag(name, lakefs_sdk.TagCreation(id="v1.0", ref="main"))
    equal((made.id, made.commit_id), ("v1.0", head))
    put(name, "main", "a", "b")
    commit(name)
    equal(TAGS.get_tag(name, "v1.0").commit_id, head)
    equal(read(name, "v1.0", "a"), "a")
    TAGS.create_tag(name, lakefs_sdk.TagCreation(id="v0", ref="v1.0~1"))
    equal([item.id for item in TAGS.list_tags(name).results], ["v0", "v1.0"])
    with fails(ApiException, status=409, says="tag already exists: not unique"):
        TAGS.create_tag(name, lakefs_sdk.TagCreation(id="v1.0", ref="main"))
    with fails(ApiException, status=409):
        TAGS.create_tag(name, lakefs_sdk.TagCreation(id="main", ref="main"))
    with fails(NotFoundException, status=404):
        TAGS.create_tag(name, lakefs_sdk.TagCreation(id="v2", ref="absent"))
    with fails(BadRequestException, status=400):
        TAGS.create_tag(name, lakefs_sdk.TagCreation(id="a..b", ref="main"))
    with fails(BadRequestException, status=400, says="staging"):
        TAGS.create_tag(name, lakefs_sdk.TagCreation(id="v2", ref="main$"))
    TAGS.delete_tag(name, "v0")
    with fails(NotFoundException, status=404, says="tag not found"):
        TAGS.get_tag(name, "v0")
    with fails(NotFoundException, status=404):
        TAGS.delete_tag(name, "v0")


def check_commit() -> None:
    name = new_repository()
    parent = BRANCHES.get_branch(name, "main").commit_id
    put(name, "main", "a", "a")
    made = commit(name, message="first", metadata={"k": "v"}, date=1_600_000_000)
    equal((made.message, made.metadata, made.creation_date), ("first", {"k": "v"}, 1_600_000_000))
    equal((made.parents, made.generation, made.version), ([parent], 2, 1))
    equal((len(made.id), len(made.meta_range_id)), (64, 64))
    assert made.committer
    equal(LAKE.commits_api.get_commit(name, made.id[:9]).id, made.id)
    with fails(BadRequestException, status=400, says="commit: no changes"):
        commit(name)
    put(name, "main", "a", "a")
    with fails(BadRequestException, status=400, says="no changes"):
        commit(name)
    equal(commit(name, allow_empty=True).meta_range_id, made.meta_range_id)
    with fails(NotFoundException, status=404, says="branch not found"):
        commit(name, "absent")


def check_ref_expressions() -> None:
    name = new_repository()
    ids = [BRANCHES.get_branch(name, "main").commit_id]
    for n in range(3):
        put(name, "main", "a", str(n))
        ids.append(commit(name).id)
    get = LAKE.commits_api.get_commit
    for expression, position in [
        ("main", 3),
        ("main@", 3),
        ("main~", 2),
        ("main~0", 3),
        ("main~3", 0),
        ("main^", 2),
        ("main^1~1", 1),
    ]:
        equal((expression, get(name, expression).id), (expression, ids[position]))
    for expression, status in [("main~4", 404), ("main^2", 400), ("absent", 404), ("0000000", 404)]:
        with fails(ApiException, status=status):
            branch(name, "never", expression)


def check_log() -> None:
    name = new_repository()
    for n in range(4):
        put(name, "main", f"dir{n % 2}/f", str(n))
        commit(name, message=f"c{n}", date=1_700_000_000 + n)
    everything = REFS.log_commits(name, "main")
    equal([item.message for item in everything.results], ["c3", "c2", "c1", "c0", "Repository created"])
    page = REFS.log_commits(name, "main~1", amount=2)
    equal(page.pagination.has_more, True)
    rest = REFS.log_commits(name, "main~1", after=page.pagination.next_offset)
    equal(len(page.results) + len(rest.results), 4)
    touched = REFS.log_commits(name, "main", prefixes=["dir1/"])
    equal([item.message for item in touched.results], ["c3", "c1"])
    touched = REFS.log_commits(name, "main", objects=["dir0/f"])
    equal([item.message for item in touched.results], ["c2", "c0"])
    limited = REFS.log_commits(name, "main", limit=True, amount=2)
    equal((len(limited.results), limited.pagination.has_more), (2, False))
    with fails(NotFoundException, status=404):
        REFS.log_commits(name, "absent")


def check_diffs() -> None:
    name = new_repository()
    for path in ("same", "changed", "removed", "dir/x"):
        put(name, "main", path, "0")
    commit(name)
    branch(name, "dev")
    put(name, "dev", "changed", "1")
    put(name, "dev", "added", "1")
    put(name, "dev", "dir/y", "1")
    LAKE.objects_api.delete_object(name, "dev", "removed")
    expected = [("added", "added"), ("changed", "changed"), ("added", "dir/y"), ("removed", "removed")]
    equal(changes(BRANCHES.diff_branch(name, "dev")), expected)
    commit(name, "dev")
    equal(changes(BRANCHES.diff_branch(name, "dev")), [])
    put(name, "main", "only-main", "1")
    put(name, "main", "changed", "2")
    commit(name)
    three = [("added", "added"), ("conflict", "changed"), ("added", "dir/y"), ("removed", "removed")]
    equal(changes(REFS.diff_refs(name, "main", "dev")), three)
    equal(changes(REFS.diff_refs(name, "main", "dev", type="three_dot")), three)
    two = REFS.diff_refs(name, "main", "dev", type="two_dot")
    equal(changes(two), sorted([*expected, ("removed", "only-main")], key=lambda change: change[1]))
    equal({change.path: change.size_bytes for change in two.results}["removed"], 1)
    grouped = REFS.diff_refs(name, "main", "dev", delimiter="/", prefix="d")
    equal(
        [(change.type, change.path, change.path_type) for change in grouped.results],
        [("prefix_changed", "dir/", "common_prefix")],
    )
    page = REFS.diff_refs(name, "main", "dev", amount=1)
    equal((changes(page), page.pagination.has_more), ([("added", "added")], True))
    equal(changes(REFS.diff_refs(name, "main", "main")), [])
    with fails(NotFoundException, status=404):
        REFS.diff_refs(name, "main", "absent")


def check_merge() -> None:
    name = new_repository()
    put(name, "main", "a", "0")
    base = commit(name).id
    branch(name, "dev")
    put(name, "dev", "b", "1")
    source = commit(name, "dev").id
    found = REFS.find_merge_base(name, "dev", "main")
    equal((found.source_commit_id, found.destination_commit_id, found.base_commit_id), (source, base, base))
    made = merge(name, "dev", "main", metadata={"k": "v"})
    head = LAKE.commits_api.get_commit(name, "main")
    equal((head.id, head.parents, head.message), (made, [base, source], "Merge 'dev' into 'main'"))
    equal(head.metadata, {"k": "v", ".lakefs.merge.strategy": "default"})
    equal(LAKE.commits_api.get_commit(name, "main^2").id, source)
    with fails(BadRequestException, status=400, says="no changes"):
        merge(name, "dev", "main")
    put(name, "main", "dirty", "1")
    put(name, "dev", "c", "1")
    commit(name, "dev")
    with fails(BadRequestException, status=400, says="uncommitted changes (dirty branch)"):
        merge(name, "dev", "main")
    BRANCHES.reset_branch(name, "main", lakefs_sdk.ResetCreation(type="reset"))
    merge(name, "dev", "main", message="mine", squash_merge=True)
    head = LAKE.commits_api.get_commit(name, "main")
    equal((head.message, head.parents), ("mine", [made]))
    with fails(NotFoundException, status=404):
        merge(name, "absent", "main")
    with fails(NotFoundException, status=404):
        merge(name, "dev", "absent")
    with fails(BadRequestException, status=400, says="invalid merge strategy"):
        merge(name, "dev", "main", strategy="mine-wins")


def conflicting() -> str:
    name = new_repository()
    put(name, "main", "a", "0")
    put(name, "main", "b", "0")
    commit(name)
    branch(name, "dev")
    for each in ("main", "dev"):
        put(name, each, "a", each)
    LAKE.objects_api.delete_object(name, "dev", "b")
    put(name, "main", "b", "main")
    commit(name, "main")
    commit(name, "dev")
    return name


def check_merge_conflict() -> None:
    name = conflicting()
    head = BRANCHES.get_branch(name, "main").commit_id
    with fails(ApiException, status=409) as caught:
        merge(name, "dev", "main")
    equal(json.loads(caught[0].body), {"reference": ""})
    equal(BRANCHES.get_branch(name, "main").commit_id, head)
    equal(changes(REFS.diff_refs(name, "main", "dev")), [("conflict", "a"), ("conflict", "b")])


def check_merge_strategies() -> None:
    name = conflicting()
    merge(name, "dev", "main", strategy="dest-wins")
    equal((read(name, "main", "a"), read(name, "main", "b")), ("main", "main"))
    name = conflicting()
    merge(name, "dev", "main", strategy="source-wins")
    equal(read(name, "main", "a"), "dev")
    with fails(NotFoundException, status=404):
        read(name, "main", "b")
    equal(LAKE.commits_api.get_commit(name, "main").metadata[".lakefs.merge.strategy"], "source-wins")


def check_reset() -> None:
    name = new_repository()
    put(name, "main", "kept", "0")
    commit(name)
    for path in ("dir/a", "dir/b", "top"):
        put(name, "main", path, "1")
    LAKE.objects_api.delete_object(name, "main", "kept")
    reset = BRANCHES.reset_branch
    reset(name, "main", lakefs_sdk.ResetCreation(type="object", path="top"))
    equal(changes(BRANCHES.diff_branch(name, "main")), [("added", "dir/a"), ("added", "dir/b"), ("removed", "kept")])
    reset(name, "main", lakefs_sdk.ResetCreation(type="object", path="not-there"))
    reset(name, "main", lakefs_sdk.ResetCreation(type="common_prefix", path="dir/"))
    equal(changes(BRANCHES.diff_branch(name, "main")), [("removed", "kept")])
    reset(name, "main", lakefs_sdk.ResetCreation(type="object", path="kept"))
    equal(read(name, "main", "kept"), "0")
    put(name, "main", "x", "1")
    reset(name, "main", lakefs_sdk.ResetCreation(type="reset"))
    equal(changes(BRANCHES.diff_branch(name, "main")), [])
    with fails(NotFoundException, status=404):
        reset(name, "absent", lakefs_sdk.ResetCreation(type="reset"))


def check_bodies_that_are_none() -> None:
    for data in (b"", b"{", b"[]", b'{"name": 5}', b"\xff\xfe"):
        status, headers, body = checks.http(
            "POST", "/repositories", data=data, headers={"Content-Type": "application/json"}
        )
        equal((data, status), (data, 400))
        assert json.loads(body)["message"]
        assert headers["content-type"].startswith("application/json")
    status, _, body = checks.http("GET", "/no/such/endpoint")
    equal((status, json.loads(body)), (404, {"message": "invalid API endpoint"}))


if __name__ == "__main__":
    checks.run(globals())
