# SPDX-License-Identifier: Apache-2.0
"""Every resource as every role, by the SDK: create, list, page through, delete; and what a role may not do.

A row is a resource. The letters say who may: Admins, Developers, Viewers. Who has no key may do nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from lakehouse.core.errors import InsufficientPermissions, Unauthenticated
from lakehouse.sdk import AsyncClient
from lakehouse.wire.imports import ImportLocation
from lakehouse.wire.policies import Statement
from lakehouse.wire.table import OPERATIONS

from .conftest import KEY, SECRET, Hands, started

pytestmark = pytest.mark.anyio
GROUPS = {"A": "Admins", "D": "Developers", "V": "Viewers", "-": None}
POLICY = [Statement(effect="allow", action=["fs:ReadObject"], resource="*")]
_numbers = itertools.count(1)


class Place(msgspec.Struct, frozen=True):
    """What all rows share: a repository, and a user and a group that they are about. `me`: who asks."""

    repository: str
    user: str
    group: str
    me: str

    @property
    def at(self) -> tuple[str, str]:
        return self.repository, "main"


class Resource(msgspec.Struct, frozen=True):
    """What is done with things of a kind; `key` of a listed item is the name that it was made with.

    `page` gets `after` and `amount`. `found` False: what `create` returns names the thing, or nothing does.
    """

    name: str
    create: tuple[str, Any]
    page: tuple[str, Any] | None = None
    delete: tuple[str, Any] | None = None
    key: str = "id"
    named: str = ""


RESOURCES = [
    Resource(
        "repositories",
        create=("A", lambda lake, at, name: lake.repositories.create_repository(name)),
        page=("ADV", lambda lake, at, **page: lake.repositories.list_repositories(prefix="thing-", **page)),
        delete=("A", lambda lake, at, name: lake.repositories.delete_repository(name)),
    ),
    Resource(
        "repository metadata",
        create=("A", lambda lake, at, name: lake.repositories.set_repository_metadata(at.repository, {name: "x"})),
        delete=("A", lambda lake, at, name: lake.repositories.delete_repository_metadata(at.repository, [name])),
    ),
    Resource(
        "branches",
        create=("AD", lambda lake, at, name: lake.branches.create_branch(at.repository, name, "main")),
        page=("ADV", lambda lake, at, **page: lake.branches.list_branches(at.repository, **page)),
        delete=("AD", lambda lake, at, name: lake.branches.delete_branch(at.repository, name)),
    ),
    Resource(
        "tags",
        create=("AD", lambda lake, at, name: lake.tags.create_tag(at.repository, name, "main")),
        page=("ADV", lambda lake, at, **page: lake.tags.list_tags(at.repository, **page)),
        delete=("AD", lambda lake, at, name: lake.tags.delete_tag(at.repository, name)),
    ),
    Resource(
        "commits",
        create=("AD", lambda lake, at, name: lake.commits.commit(*at.at, name, allow_empty=True)),
        page=("ADV", lambda lake, at, **page: lake.refs.log_commits(*at.at, **page)),
        key="message",
    ),
    Resource(
        "moves of a branch",
        create=("AD", lambda lake, at, name: lake.commits.commit(*at.at, name, allow_empty=True)),
        page=("ADV", lambda lake, at, **page: lake.branches.list_reflog(*at.at, **page)),
        key="",
    ),
    Resource(
        "objects",
        create=("AD", lambda lake, at, name: lake.objects.upload_object(*at.at, name, b"x")),
        page=("ADV", lambda lake, at, **page: lake.objects.list_objects(*at.at, **page)),
        delete=("AD", lambda lake, at, name: lake.objects.delete_object(*at.at, name)),
        key="path",
    ),
    Resource(
        "prefixes",
        create=("AD", lambda lake, at, name: lake.prefixes.copy_prefix(*at.at, "seed/", f"{name}/")),
        page=(
            "ADV",
            lambda lake, at, **page: lake.objects.list_objects(*at.at, prefix="thing-", delimiter="/", **page),
        ),
        delete=("AD", lambda lake, at, name: lake.prefixes.move_prefix(*at.at, f"{name}/", f"gone/{name}/")),
        key="path",
        named="{}/",
    ),
    Resource(
        "addresses",
        create=("AD", lambda lake, at, name: lake.staging.get_physical_address(*at.at, name)),
    ),
    Resource(
        "symlink files",
        create=("AD", lambda lake, at, name: lake.symlinks.create_symlink_file(*at.at, location=name)),
    ),
    Resource(
        "pull requests",
        create=("AD", lambda lake, at, name: lake.pulls.create_pull_request(at.repository, name, "dev", "main")),
        page=("ADV", lambda lake, at, **page: lake.pulls.list_pull_requests(at.repository, **page)),
        key="title",
    ),
    Resource(
        "protection",
        create=(
            "A",
            lambda lake, at, name: lake.protection.internal_create_branch_protection_rule(at.repository, name),
        ),
        delete=(
            "A",
            lambda lake, at, name: lake.protection.internal_delete_branch_protection_rule(at.repository, name),
        ),
    ),
    Resource(
        "rules of merges",
        create=("A", lambda lake, at, name: lake.reviews.set_merge_rules(at.repository, [])),
    ),
    Resource(
        "checks",
        create=("AD", lambda lake, at, name: lake.reviews.report_check(at.repository, "main", name, "success")),
    ),
    Resource(
        "retention",
        create=("A", lambda lake, at, name: lake.gc.set_gc_rules(at.repository, 7)),
        delete=("A", lambda lake, at, name: lake.gc.delete_gc_rules(at.repository)),
    ),
    Resource(
        "imports",
        create=(
            "A",
            lambda lake, at, name: lake.imports.import_start(
                at.repository, "dev", [ImportLocation(type="object", path="s3://lake.local/x/y", destination=name)]
            ),
        ),
    ),
    Resource("dumps", create=("ADV", lambda lake, at, name: lake.dumps.dump_submit(at.repository))),
    Resource(
        "users",
        create=("A", lambda lake, at, name: lake.users.create_user(name)),
        page=("A", lambda lake, at, **page: lake.users.list_users(prefix="thing-", **page)),
        delete=("A", lambda lake, at, name: lake.users.delete_user(name)),
    ),
    Resource(
        "groups",
        create=("A", lambda lake, at, name: lake.groups.create_group(name)),
        page=("A", lambda lake, at, **page: lake.groups.list_groups(prefix="thing-", **page)),
        delete=("A", lambda lake, at, name: lake.groups.delete_group(name)),
    ),
    Resource(
        "policies",
        create=("A", lambda lake, at, name: lake.policies.create_policy(name, POLICY)),
        page=("A", lambda lake, at, **page: lake.policies.list_policies(prefix="thing-", **page)),
        delete=("A", lambda lake, at, name: lake.policies.delete_policy(name)),
    ),
    Resource(
        "members of a group",
        create=("A", lambda lake, at, name: lake.groups.add_group_membership(at.group, "spare-" + name[-1])),
        page=("A", lambda lake, at, **page: lake.users.list_group_members(at.group, **page)),
        delete=("A", lambda lake, at, name: lake.groups.delete_group_membership(at.group, "spare-" + name[-1])),
        key="",
    ),
    Resource(
        "policies of a user",
        create=("A", lambda lake, at, name: lake.users.attach_policy_to_user(at.user, POOL[int(name[-1])])),
        page=("A", lambda lake, at, **page: lake.users.list_user_policies(at.user, **page)),
        delete=("A", lambda lake, at, name: lake.users.detach_policy_from_user(at.user, POOL[int(name[-1])])),
        key="",
    ),
    Resource(
        "policies of a group",
        create=("A", lambda lake, at, name: lake.groups.attach_policy_to_group(at.group, POOL[int(name[-1])])),
        page=("A", lambda lake, at, **page: lake.groups.list_group_policies(at.group, **page)),
        delete=("A", lambda lake, at, name: lake.groups.detach_policy_from_group(at.group, POOL[int(name[-1])])),
        key="",
    ),
    Resource(
        "principals",
        create=("A", lambda lake, at, name: lake.principals.create_user_external_principal(at.user, name)),
        page=("A", lambda lake, at, **page: lake.principals.list_user_external_principals(at.user, **page)),
        delete=("A", lambda lake, at, name: lake.principals.delete_user_external_principal(at.user, name)),
    ),
    Resource(
        "keys of others",
        create=("A", lambda lake, at, name: lake.users.create_credentials(at.user)),
        page=("A", lambda lake, at, **page: lake.users.list_user_credentials(at.user, **page)),
        key="access_key_id",
    ),
    Resource(
        "one's own keys",
        create=("ADV", lambda lake, at, name: lake.users.create_credentials(at.me)),
        page=("ADV", lambda lake, at, **page: lake.users.list_user_credentials(at.me, **page)),
        key="access_key_id",
    ),
    Resource("sessions", create=("ADV", lambda lake, at, name: lake.sessions.create_session())),
    Resource("sessions of others", create=("A", lambda lake, at, name: lake.sessions.revoke_sessions(at.user))),
    Resource(
        "the audit log",
        create=("ADV", lambda lake, at, name: lake.sessions.create_session()),
        page=("A", lambda lake, at, **page: lake.audit.list_audit_events(operation="create_session", **page)),
        key="",
    ),
    Resource(
        "runs of hooks",
        create=("AD", lambda lake, at, name: lake.commits.commit(at.repository, "hooked", name, allow_empty=True)),
        page=("AD", lambda lake, at, **page: lake.actions.list_repository_runs(at.repository, **page)),
        key="",
    ),
    Resource(
        "history",
        create=("AD", lambda lake, at, name: lake.commits.commit(*at.at, name, allow_empty=True)),
        page=("ADV", lambda lake, at, **page: lake.history.log_path(*at.at, "seed/a", **page)),
        key="",
    ),
]
POOL = ["FSReadAll", "FSReadWriteAll", "FSFullAccess", "AuthFullAccess", "PRReadAll", "CatalogReadAll"] * 2
READS: dict[str, tuple[str, Callable[[AsyncClient, Place], Awaitable[Any]]]] = {
    "repository": ("ADV", lambda lake, at: lake.repositories.get_repository(at.repository)),
    "metadata": ("ADV", lambda lake, at: lake.repositories.get_repository_metadata(at.repository)),
    "branch": ("ADV", lambda lake, at: lake.branches.get_branch(*at.at)),
    "commit": ("ADV", lambda lake, at: lake.commits.get_commit(at.repository, "main")),
    "object": ("ADV", lambda lake, at: lake.objects.get_object(*at.at, "seed/a")),
    "stat": ("ADV", lambda lake, at: lake.objects.stat_object(*at.at, "seed/a")),
    "head": ("ADV", lambda lake, at: lake.objects.head_object(*at.at, "seed/a")),
    "diff": ("ADV", lambda lake, at: lake.refs.diff_refs(at.repository, "dev", "main")),
    "changes": ("ADV", lambda lake, at: lake.branches.diff_branch(*at.at)),
    "usage": ("ADV", lambda lake, at: lake.prefixes.get_prefix_usage(*at.at)),
    "protection": ("AD", lambda lake, at: lake.protection.get_branch_protection_rules(at.repository)),
    "rules of merges": ("AD", lambda lake, at: lake.reviews.get_merge_rules(at.repository)),
    "collections": ("A", lambda lake, at: lake.gc.list_garbage_collections(at.repository)),
    "user": ("A", lambda lake, at: lake.users.get_user(at.user)),
    "group": ("A", lambda lake, at: lake.groups.get_group(at.group)),
    "policy": ("A", lambda lake, at: lake.policies.get_policy("FSReadAll")),
    "permission of a group": ("A", lambda lake, at: lake.groups.get_group_acl("Viewers")),
    "proof of the audit log": ("A", lambda lake, at: lake.audit.verify_audit_log()),
    "oneself": ("ADV", lambda lake, at: lake.auth.get_current_user()),
    "configuration": ("ADV", lambda lake, at: lake.config.get_config()),
    "configuration of the store": ("ADV", lambda lake, at: lake.config.get_storage_config()),
    "report of usage": ("ADV", lambda lake, at: lake.statistics.get_usage_report_summary()),
}


class Cast(msgspec.Struct, frozen=True):
    """A client for each role, and what they find."""

    clients: dict[str, AsyncClient]
    places: dict[str, Place]
    settled: Callable[[], Awaitable[None]]
    """What was recorded can be read."""

    @property
    def admin(self) -> AsyncClient:
        return self.clients["A"]


@pytest.fixture(scope="module")
async def cast(tmp_path_factory):
    """One server and one user of each role for all rows."""
    server = await started(tmp_path_factory.mktemp("data"), Hands())

    def client(**credentials: str) -> AsyncClient:
        transport = httpx2.ASGITransport(app=server.application, raise_app_exceptions=True)
        return AsyncClient("http://localhost:8000", transport=transport, **credentials)

    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(client(access_key_id=KEY, secret_access_key=SECRET))
        clients, places = {}, {}
        await furnish(admin)
        for letter, group in GROUPS.items():
            name = f"role-{group or 'Viewers'}"
            places[letter] = Place("lake", "target", "crowd", name)
            if group is None:
                clients[letter] = await stack.enter_async_context(client())
                continue
            await admin.users.create_user(name)
            await admin.groups.add_group_membership(group, name)
            pair = await admin.users.create_credentials(name)
            made = client(access_key_id=pair.access_key_id, secret_access_key=pair.secret_access_key)
            clients[letter] = await stack.enter_async_context(made)
        yield Cast(clients, places, server.application._audit.flush)
    await server.application.stop()


async def furnish(admin: AsyncClient) -> None:
    """What the rows need to be there."""
    await admin.repositories.create_repository("lake")
    await admin.objects.upload_object("lake", "main", "seed/a", b"x")
    await admin.commits.commit("lake", "main", "seed")
    await admin.branches.create_branch("lake", "dev", "main")
    await admin.branches.create_branch("lake", "hooked", "main")
    hook = b"{name: Never asked, on: {pre-commit: }, hooks: [{id: never, type: webhook, if: failure()}]}"
    await admin.objects.upload_object("lake", "hooked", "_lakefs_actions/a.yaml", hook)
    await admin.commits.commit("lake", "hooked", "with a hook")
    await admin.users.create_user("target")
    await admin.groups.create_group("crowd")
    for digit in range(10):
        await admin.users.create_user(f"spare-{digit}")


def fresh() -> str:
    """A name that no row has used. The last digits go round."""
    return f"thing-{next(_numbers):04}"


async def tried(who: str, may: str, work: Awaitable[Any]) -> bool:
    """Whether it was done: those who may do it, and nobody else, who is refused in the words of the protocol."""
    refusals = (InsufficientPermissions, Unauthenticated)
    if who in may:
        await work
        return True
    words = "error authenticating request" if who == "-" else "insufficient permissions: not allowed to "
    with pytest.raises(refusals, match=f"^{words}"):
        await work
    return False


async def all_of(resource: Resource, lake: AsyncClient, place: Place, amount: int) -> list[str]:
    """The names of everything that is listed, page by page."""
    assert resource.page is not None
    found: list[Any] = []
    after, more = "", True
    while more:
        page = await resource.page[1](lake, place, after=after, amount=amount)
        assert len(page.results) <= amount
        assert page.pagination.results == len(page.results)
        found += page.results
        after, more = page.pagination.next_offset, page.pagination.has_more
        assert more == (after != "")
    return [str(getattr(one, resource.key) if resource.key else one) for one in found]


@pytest.mark.parametrize("who", list(GROUPS), ids=lambda letter: GROUPS[letter] or "nobody")
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: one.name)
async def test_resource(cast: Cast, resource: Resource, who: str) -> None:
    lake, place = cast.clients[who], cast.places[who]
    may_create, create = resource.create
    mine = fresh()
    listed = (resource.named or "{}").format(mine)
    made = await tried(who, may_create, create(lake, place, mine))
    others = [fresh() for _ in range(3)]
    for name in others if resource.page or resource.delete else ():
        await create(cast.admin, place, name)
    if resource.page is not None:
        await pages(cast, resource, who, listed if made else None)
    if resource.delete is not None:
        may_delete, delete = resource.delete
        gone = await tried(who, may_delete, delete(lake, place, others[0]))
        if resource.page is not None and resource.key:
            left = await all_of(resource, cast.admin, place, 1000)
            assert ((resource.named or "{}").format(others[0]) in left) == (not gone)
        for name in others if not gone else others[1:]:
            await delete(cast.admin, place, name)
        if made:
            await delete(cast.admin, place, mine)


async def pages(cast: Cast, resource: Resource, who: str, made: str | None) -> None:
    """The list as `who` sees it: the same in pages of two as at once, and the same as the administrator's."""
    assert resource.page is not None
    place = cast.places[who]
    may, page = resource.page
    await cast.settled()
    if not await tried(who, may, page(cast.clients[who], place, after="", amount=2)):
        return
    whole = await all_of(resource, cast.clients[who], place, 1000)
    assert len(whole) >= 3 or resource.name == "history"
    assert len(set(whole)) == len(whole)
    assert await all_of(resource, cast.clients[who], place, 2) == whole
    assert await all_of(resource, cast.admin, place, 1000) == whole
    if made is not None and resource.key and resource.key != "access_key_id":
        assert made in whole


@pytest.mark.parametrize("who", list(GROUPS), ids=lambda letter: GROUPS[letter] or "nobody")
async def test_reads(cast: Cast, who: str) -> None:
    for name, (may, read) in READS.items():
        done = await tried(who, may, read(cast.clients[who], cast.places[who]))
        assert done == (who in may), name


def test_every_tag_has_a_row() -> None:
    """What stands beside, each with the test that is about it."""
    elsewhere = {"setup", "health", "multipart", "metadata"} | {"cache", "kv", "buckets", "datastore", "storage"}
    source = Path(__file__).read_text()
    for tag in {operation.tag for operation in OPERATIONS} - elsewhere:
        assert f".{tag}." in source, tag
