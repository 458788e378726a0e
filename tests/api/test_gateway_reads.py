# SPDX-License-Identifier: Apache-2.0
"""An S3 request reads the row of the repository that it names once, before anything else: PostgreSQL is asked each
time. Lookups of a ref, which show both of one moment, are statements of their own.
"""

from __future__ import annotations

import re

import pytest

from tests.api.conftest import KEY, SECRET

pytestmark = pytest.mark.anyio
DELETE = b"<Delete><Object><Key>main/a</Key></Object></Delete>"


@pytest.fixture
async def s3(server):
    async with server.client(auth=(KEY, SECRET), base_url="http://localhost:8000/s3") as client:
        yield client


@pytest.fixture
def reads(server, monkeypatch):
    """Lookups of a repository alone."""
    found = []
    kind = type(server.application._lake.db)
    real = kind.one

    async def one(self, sql, params=()):
        if " from repositories r where " in sql:
            found.append(sql)
        return await real(self, sql, params)

    monkeypatch.setattr(kind, "one", one)
    return found


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("HEAD", "", 200),
        ("GET", "?location", 200),
        ("GET", "?versioning", 200),
        ("GET", "?acl", 200),
        ("GET", "?uploads", 200),
        ("GET", "?prefix=main/", 200),
        ("GET", "?prefix=none/", 200),
        ("GET", "?max-keys=0&prefix=main/", 200),
        ("GET", "?versions&prefix=none/", 200),
        ("PUT", "", 409),
        ("POST", "?delete", 200),
        ("GET", "/main/", 404),
        ("GET", "/main/a", 200),
        ("PUT", "/main/a", 200),
    ],
)
async def test_one_read(repo, s3, reads, method, query, status) -> None:
    await repo.put("a")
    reads.clear()
    answer = await s3.request(method, f"/{repo.name}{query}", content=DELETE if query == "?delete" else None)
    assert answer.status_code == status, answer.text
    assert len(reads) == 1


async def test_one_read_for_a_part(repo, s3, reads) -> None:
    begun = await s3.post(f"/{repo.name}/main/a?uploads")
    upload = re.findall("<UploadId>(.*)</UploadId>", begun.text)[0]
    reads.clear()
    answer = await s3.put(f"/{repo.name}/main/a?partNumber=1&uploadId={upload}", content=b"x")
    assert answer.status_code == 200
    assert len(reads) == 1
