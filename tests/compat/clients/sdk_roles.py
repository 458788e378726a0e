# SPDX-License-Identifier: Apache-2.0
# environment: today
"""lakefs-sdk: every resource as administrator, developer, viewer and stranger: create, list, page through, delete."""

from __future__ import annotations

from typing import Any

import checks
import lakefs_sdk
from checks import API, KEY, SECRET, equal, fails, fresh, namespace
from lakefs_sdk import models
from lakefs_sdk.client import LakeFSClient
from lakefs_sdk.exceptions import UnauthorizedException

ADMIN = LakeFSClient(lakefs_sdk.Configuration(host=API, username=KEY, password=SECRET))
GROUPS = {"A": "Admins", "D": "Developers", "V": "Viewers"}
REFUSED, UNKNOWN = "insufficient permissions: not allowed to", "error authenticating request"
REPOSITORY, GROUP, TARGET = fresh("roles"), fresh("crowd"), fresh("target")
POLICIES = ["FSReadAll", "FSReadWriteAll", "FSFullAccess", "AuthFullAccess", "PRReadWriteAll", "CatalogReadAll"]
STATEMENT = [models.Statement(effect="allow", resource="*", action=["fs:ReadObject"])]
SPARE: list[str] = []

Row = dict[str, Any]
ROWS: dict[str, Row] = {
    "repositories": {
        "create": ("A", lambda lake, name: lake.repositories_api.create_repository(
            models.RepositoryCreation(name=name, storage_namespace=namespace(name)))),
        "list": ("ADV", lambda lake, **page: lake.repositories_api.list_repositories(prefix="thing-", **page), "id"),
        "delete": ("A", lambda lake, name: lake.repositories_api.delete_repository(name)),
    },
    "branches": {
        "create": ("AD", lambda lake, name: lake.branches_api.create_branch(
            REPOSITORY, models.BranchCreation(name=name, source="main"))),
        "list": ("ADV", lambda lake, **page: lake.branches_api.list_branches(REPOSITORY, **page), "id"),
        "delete": ("AD", lambda lake, name: lake.branches_api.delete_branch(REPOSITORY, name)),
    },
    "tags": {
        "create": ("AD", lambda lake, name: lake.tags_api.create_tag(
            REPOSITORY, models.TagCreation(id=name, ref="main"))),
        "list": ("ADV", lambda lake, **page: lake.tags_api.list_tags(REPOSITORY, **page), "id"),
        "delete": ("AD", lambda lake, name: lake.tags_api.delete_tag(REPOSITORY, name)),
    },
    "commits": {
        "create": ("AD", lambda lake, name: lake.commits_api.commit(
            REPOSITORY, "main", models.CommitCreation(message=name, allow_empty=True))),
        "list": ("ADV", lambda lake, **page: lake.refs_api.log_commits(REPOSITORY, "main", **page), "message"),
    },
    "objects": {
        "create": ("AD", lambda lake, name: lake.objects_api.upload_object(REPOSITORY, "main", name, content=b"x")),
        "list": ("ADV", lambda lake, **page: lake.objects_api.list_objects(REPOSITORY, "main", **page), "path"),
        "delete": ("AD", lambda lake, name: lake.objects_api.delete_object(REPOSITORY, "main", name)),
    },
    "addresses": {
        "create": ("AD", lambda lake, name: lake.staging_api.get_physical_address(REPOSITORY, "main", name)),
    },
    "pull requests": {
        "create": ("AD", lambda lake, name: lake.pulls_api.create_pull_request(
            REPOSITORY, models.PullRequestCreation(title=name, source_branch="dev", destination_branch="main"))),
        "list": ("ADV", lambda lake, **page: lake.pulls_api.list_pull_requests(REPOSITORY, **page), "title"),
    },
    "protection": {
        "create": ("A", lambda lake, name: lake.repositories_api.set_branch_protection_rules(
            REPOSITORY, [models.BranchProtectionRule(pattern=name)])),
        "delete": ("A", lambda lake, name: lake.repositories_api.set_branch_protection_rules(REPOSITORY, [])),
    },
    "retention": {
        "create": ("A", lambda lake, name: lake.repositories_api.set_gc_rules(
            REPOSITORY, models.GarbageCollectionRules(default_retention_days=7, branches=[]))),
        "delete": ("A", lambda lake, name: lake.repositories_api.delete_gc_rules(REPOSITORY)),
    },
    "imports": {
        "create": ("A", lambda lake, name: lake.import_api.import_start(REPOSITORY, "dev", models.ImportCreation(
            paths=[models.ImportLocation(type="object", path="s3://lake.local/free/x", destination=name)],
            commit=models.CommitCreation(message="m")))),
    },
    "runs of hooks": {
        "list": ("AD", lambda lake, **page: lake.actions_api.list_repository_runs(REPOSITORY, **page), "run_id"),
    },
    "users": {
        "create": ("A", lambda lake, name: lake.auth_api.create_user(user_creation=models.UserCreation(id=name))),
        "list": ("A", lambda lake, **page: lake.auth_api.list_users(prefix="thing-", **page), "id"),
        "delete": ("A", lambda lake, name: lake.auth_api.delete_user(name)),
    },
    "groups": {
        "create": ("A", lambda lake, name: lake.auth_api.create_group(group_creation=models.GroupCreation(id=name))),
        "list": ("A", lambda lake, **page: lake.auth_api.list_groups(prefix="thing-", **page), "id"),
        "delete": ("A", lambda lake, name: lake.auth_api.delete_group(name)),
    },
    "policies": {
        "create": ("A", lambda lake, name: lake.auth_api.create_policy(
            models.Policy(id=name, statement=STATEMENT))),
        "list": ("A", lambda lake, **page: lake.auth_api.list_policies(prefix="thing-", **page), "id"),
        "delete": ("A", lambda lake, name: lake.auth_api.delete_policy(name)),
    },
    "members": {
        "create": ("A", lambda lake, name: lake.auth_api.add_group_membership(GROUP, spare(name))),
        "list": ("A", lambda lake, **page: lake.auth_api.list_group_members(GROUP, **page), ""),
        "delete": ("A", lambda lake, name: lake.auth_api.delete_group_membership(GROUP, spare(name))),
    },
    "policies of a user": {
        "create": ("A", lambda lake, name: lake.auth_api.attach_policy_to_user(TARGET, policy(name))),
        "list": ("A", lambda lake, **page: lake.auth_api.list_user_policies(TARGET, **page), ""),
        "delete": ("A", lambda lake, name: lake.auth_api.detach_policy_from_user(TARGET, policy(name))),
    },
    "policies of a group": {
        "create": ("A", lambda lake, name: lake.auth_api.attach_policy_to_group(GROUP, policy(name))),
        "list": ("A", lambda lake, **page: lake.auth_api.list_group_policies(GROUP, **page), ""),
        "delete": ("A", lambda lake, name: lake.auth_api.detach_policy_from_group(GROUP, policy(name))),
    },
    "principals": {
        "create": ("A", lambda lake, name: lake.auth_api.create_user_external_principal(TARGET, name)),
        "list": ("A", lambda lake, **page: lake.auth_api.list_user_external_principals(TARGET, **page), "id"),
        "delete": ("A", lambda lake, name: lake.auth_api.delete_user_external_principal(TARGET, name)),
    },
    "keys of others": {
        "create": ("A", lambda lake, name: lake.auth_api.create_credentials(TARGET)),
        "list": ("A", lambda lake, **page: lake.auth_api.list_user_credentials(TARGET, **page), ""),
    },
}  # fmt: skip
NUMBERS = iter(range(10_000))


def spare(name: str) -> str:
    return SPARE[int(name[-1])]


def policy(name: str) -> str:
    return POLICIES[int(name[-1]) % len(POLICIES)]


def thing() -> str:
    """A name that no row has used; the last digits of five in a row differ, and stand for one policy each."""
    return f"thing-{fresh('x')}-{next(NUMBERS) % 5}"


def client_of(letter: str) -> LakeFSClient:
    """A client of a new user of this role."""
    if letter == "-":
        return LakeFSClient(lakefs_sdk.Configuration(host=API))
    name = fresh("role")
    ADMIN.auth_api.create_user(user_creation=models.UserCreation(id=name))
    ADMIN.auth_api.add_group_membership(GROUPS[letter], name)
    pair = ADMIN.auth_api.create_credentials(name)
    return LakeFSClient(
        lakefs_sdk.Configuration(host=API, username=pair.access_key_id, password=pair.secret_access_key)
    )


def tried(letter: str, may: str, what: str, work: Any) -> bool:
    """Whether it was done: by those who may, and refused to all others in the protocol's words."""
    if letter in may:
        work()
        return True
    try:
        with fails(UnauthorizedException, status=401, says=UNKNOWN if letter == "-" else REFUSED):
            work()
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from error
    return False


def whole(lake: LakeFSClient, page: Any, key: str, amount: int) -> list[str]:
    """The names of everything that is listed, page by page."""
    found: list[Any] = []
    after, more = "", True
    while more:
        answer = page(lake, after=after, amount=amount)
        assert len(answer.results) <= amount
        found += answer.results
        after, more = answer.pagination.next_offset, answer.pagination.has_more
    return [getattr(one, key) if key else one.to_json() for one in found]


def furnish() -> None:
    """What the rows need to be there; once."""
    if SPARE:
        return
    ADMIN.repositories_api.create_repository(
        models.RepositoryCreation(name=REPOSITORY, storage_namespace=namespace(REPOSITORY))
    )
    ADMIN.branches_api.create_branch(REPOSITORY, models.BranchCreation(name="dev", source="main"))
    ADMIN.auth_api.create_group(group_creation=models.GroupCreation(id=GROUP))
    for name in (TARGET, *(fresh("spare") for _ in range(10))):
        ADMIN.auth_api.create_user(user_creation=models.UserCreation(id=name))
        SPARE.append(name)
    del SPARE[0]
    SPARE.append(TARGET)


def play(letter: str) -> None:
    """All rows as one role."""
    furnish()
    lake = client_of(letter)
    for what, row in ROWS.items():
        mine, *others = [thing() for _ in range(4)]
        made = False
        if "create" in row:
            may, create = row["create"]
            made = tried(letter, may, f"create {what}", lambda create=create, name=mine: create(lake, name))
            for name in others:
                create(ADMIN, name)
        if "list" in row:
            may, page, key = row["list"]
            if tried(letter, may, f"list {what}", lambda page=page: page(lake, after="", amount=2)):
                found = whole(lake, page, key, 1000)
                equal(whole(lake, page, key, 2), found)
                equal(whole(ADMIN, page, key, 1000), found)
                if made and key:
                    assert mine in found, f"{mine} is not among the {what}"
        if "delete" in row:
            may, delete = row["delete"]
            gone = tried(letter, may, f"delete {what}", lambda delete=delete, name=others[0]: delete(lake, name))
            if "list" in row and row["list"][2]:
                left = whole(ADMIN, row["list"][1], row["list"][2], 1000)
                equal(others[0] in left, not gone)
            for name in ([mine] if made else []) + (others[1:] if gone else others):
                if what not in ("protection", "retention"):
                    delete(ADMIN, name)


def check_admin() -> None:
    play("A")


def check_developer() -> None:
    play("D")


def check_viewer() -> None:
    play("V")


def check_stranger() -> None:
    play("-")


if __name__ == "__main__":
    checks.run(globals())
