# SPDX-License-Identifier: Apache-2.0
"""Which permission each operation on a repository asks for, and what callers without it are told."""

from __future__ import annotations

import pytest

from lakehouse.asgi.origin import Origin
from lakehouse.core.errors import InsufficientPermissions, LakehouseError, Unauthenticated
from lakehouse.core.records import User
from lakehouse.objects.local import open_local_store
from lakehouse.s3.context import KeyRecord
from lakehouse.s3.errors import S3Error, code_of
from lakehouse.s3.repository.gateway import Gateway
from lakehouse.s3.repository.list_buckets import bucket_names
from lakehouse.s3.repository.serve import serve_repository
from lakehouse.s3.request import read_request
from lakehouse.server.s3_callers import PHYSICAL, S3Callers
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import open_lake

pytestmark = pytest.mark.anyio
ANN = User(id=1, name="ann", created=0)


class Rules:
    """Allows what is not refused, and keeps what was asked."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[tuple[str, str]] = []

    def authorize(self, user, action, resource):
        self.asked.append((action, resource))
        if user is None:
            raise Unauthenticated
        if action in self.refused or "*" in self.refused:
            raise InsufficientPermissions
        return user

    def allowed(self, user, action, resource):
        try:
            return bool(self.authorize(user, action, resource))
        except LakehouseError:
            return False

    def allowed_below(self, user, action, prefix):
        return False

    def authorize_somewhere(self, user, action):
        return self.authorize(user, action, "*")

    async def prepare(self, user, *, peer=None):
        return user


@pytest.fixture
async def engine(tmp_path):
    lake = await open_lake(tmp_path / "metadata.sqlite", objects=await open_local_store(tmp_path / "objects"))
    await create_repository(lake, RepositoryRequest(name="lakes"))
    yield lake
    await lake.background.drain()
    await lake.stores.close()
    await lake.db.close()


def request(method, target, *, body=b"", **headers):
    path, _, query = target.partition("?")

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    named = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }  # fmt: skip
    return read_request(scope, receive, "id")


async def serve(engine, rules, method, target, *, user=ANN, **options):
    gateway = Gateway(engine, rules, Origin(), "us-east-1")
    return await serve_repository(gateway, request(method, target, **options), user)


async def refused_with(awaitable) -> str:
    try:
        await awaitable
    except S3Error as error:
        return error.code
    except LakehouseError as error:
        return code_of(error)
    return ""


TAGS = b"<Tagging><TagSet/></Tagging>"
OPERATIONS = [
    ("GET", "/lakes/main/a/b", {}, "fs:ReadObject", "repository/lakes/object/a/b"),
    ("HEAD", "/lakes/main/a/b", {}, "fs:ReadObject", "repository/lakes/object/a/b"),
    ("GET", "/lakes/main/a/b?tagging", {}, "fs:ReadObject", "repository/lakes/object/a/b"),
    ("PUT", "/lakes/main/new", {"body": b"x"}, "fs:WriteObject", "repository/lakes/object/new"),
    ("PUT", "/lakes/main/a/b?tagging", {"body": TAGS}, "fs:WriteObject", "repository/lakes/object/a/b"),
    ("DELETE", "/lakes/main/a/b?tagging", {}, "fs:WriteObject", "repository/lakes/object/a/b"),
    ("DELETE", "/lakes/main/a/b", {}, "fs:DeleteObject", "repository/lakes/object/a/b"),
    ("POST", "/lakes/main/new?uploads", {}, "fs:WriteObject", "repository/lakes/object/new"),
    ("GET", "/lakes", {}, "fs:ListBranches", "repository/lakes"),
    ("GET", "/lakes?prefix=main/", {}, "fs:ListObjects", "repository/lakes"),
    ("GET", "/lakes?list-type=2&prefix=main/", {}, "fs:ListObjects", "repository/lakes"),
    ("GET", "/lakes?uploads", {}, "fs:ListObjects", "repository/lakes"),
    ("HEAD", "/lakes", {}, "fs:ReadRepository", "repository/lakes"),
    ("GET", "/lakes?location", {}, "fs:ReadRepository", "repository/lakes"),
    ("GET", "/lakes?versioning", {}, "fs:ReadRepository", "repository/lakes"),
    ("GET", "/lakes?acl", {}, "fs:ReadRepository", "repository/lakes"),
    ("PUT", "/quite-new", {}, "fs:CreateRepository", "repository/quite-new"),
    ("PUT", "/lakes/main/c", {"x_amz_copy_source": "lakes/main/a/b"}, "fs:ReadObject", "repository/lakes/object/a/b"),
    ("PUT", "/lakes/main/c", {"x_amz_copy_source": "lakes/main/a/b"}, "fs:WriteObject", "repository/lakes/object/c"),
]


@pytest.mark.parametrize(("method", "target", "options", "action", "resource"), OPERATIONS)
async def test_each_operation_asks_first(engine, method, target, options, action, resource):
    await serve(engine, Rules(), "PUT", "/lakes/main/a/b", body=b"1")
    rules = Rules(action)
    assert await refused_with(serve(engine, rules, method, target, **options)) == "AccessDenied"
    assert (action, resource) in rules.asked
    anonymous = serve(engine, Rules(), method, target, user=None, **options)
    assert await refused_with(anonymous) == "AccessDenied"
    others = Rules("fs:NothingElse")
    assert await refused_with(serve(engine, others, method, target, **options)) in ("", "NotImplemented")


@pytest.mark.parametrize(("method", "query"), [("PUT", "&partNumber=1"), ("GET", ""), ("DELETE", ""), ("POST", "")])
async def test_an_upload_belongs_to_the_path_that_it_was_begun_with(engine, method, query):
    answer = await serve(engine, Rules(), "POST", "/lakes/main/begun?uploads")
    identifier = answer.body.decode().partition("<UploadId>")[2].partition("</UploadId>")[0]
    body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
    for key in ("main/begun", "begun"):
        rules = Rules("fs:WriteObject")
        ask = serve(engine, rules, method, f"/lakes/{key}?uploadId={identifier}{query}", body=body)
        assert await refused_with(ask) == "AccessDenied"
        assert rules.asked == [("fs:WriteObject", "repository/lakes/object/begun")]


async def test_deleting_many_judges_each_key(engine):
    class ButOne(Rules):
        def authorize(self, user, action, resource):
            if resource.endswith("/kept"):
                raise InsufficientPermissions
            return user

    for name in ("kept", "gone"):
        await serve(engine, Rules(), "PUT", f"/lakes/main/{name}", body=b"1")
    body = b"<Delete><Object><Key>main/kept</Key></Object><Object><Key>main/gone</Key></Object></Delete>"
    answer = await serve(engine, ButOne(), "POST", "/lakes?delete", body=body)
    assert b"<Deleted><Key>main/gone</Key></Deleted>" in answer.body
    assert b"<Error><Key>main/kept</Key><Code>AccessDenied</Code>" in answer.body
    assert (await serve(engine, Rules(), "HEAD", "/lakes/main/kept")).status == 200


async def test_who_may_not_list_repositories_is_not_told_which_there_are(engine):
    for method in ("GET", "HEAD"):
        assert await refused_with(serve(engine, Rules(), method, "/nothing")) == "NoSuchBucket"
        assert await refused_with(serve(engine, Rules("fs:ListRepositories"), method, "/nothing")) == "AccessDenied"
    gateway = Gateway(engine, Rules("fs:ListRepositories"), Origin(), "us-east-1")
    assert await bucket_names(gateway, request("GET", "/"), ANN) == []


@pytest.mark.parametrize("refused", [(), (PHYSICAL[0],)])
async def test_physical_buckets_need_a_permission_of_their_own(refused):
    class Pairs:
        async def lookup(self, name):
            from lakehouse.core.records import Credentials

            return Credentials(name, "secret", ANN, 0)

    callers = S3Callers(None, Pairs(), Rules(*refused), Origin())
    assert await callers.lookup("AKIA") == KeyRecord("secret", "ann", account=ANN)
    assert await callers.admit(ANN, {}) == KeyRecord("", "ann", may_use_physical=not refused, account=ANN)
