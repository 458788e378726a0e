# SPDX-License-Identifier: Apache-2.0
"""The S3 side in the audit log: who did what to which object, on repositories and on the store's own bucket."""

from __future__ import annotations

import httpx2
import pytest
from botocore.exceptions import ClientError

from lakehouse.config.model import Audit
from tests.s3.conftest import boto_client
from tests.s3.lake import KEY, SECRET, served_lake


@pytest.fixture(scope="module", params=["writes", "changes", "all"])
def audited(request, tmp_path_factory):
    """A server at each level, and boto3 on it."""
    with served_lake(tmp_path_factory.mktemp("lake"), audit=Audit(level=request.param)) as lake:
        client = boto_client(lake.endpoint, KEY, SECRET)
        yield request.param, lake, client
        client.close()


def events(lake, **wanted: str) -> list[tuple[str, str, int, dict[str, str]]]:
    """Actor, operation, status and names of the S3 side's events, oldest first."""
    lake.run(lake.application._audit.flush())
    found = lake.rest.get("/auth/audit", params={"amount": 1000, **wanted}).json()["results"]
    return [
        (one["actor"], one["operation"], one["status_code"], one["resources"])
        for one in reversed(found)
        if one["operation"].startswith("s3.")
    ]


def test_who_did_what_to_which_object(audited) -> None:
    level, lake, s3 = audited
    name = lake.repository()
    before = len(events(lake))
    s3.put_object(Bucket=name, Key="main/a", Body=b"x")
    s3.copy_object(Bucket=name, Key="main/b", CopySource=f"{name}/main/a")
    s3.get_object(Bucket=name, Key="main/a")["Body"].read()
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "main/a"}, {"Key": "main/b"}]})
    s3.put_object(Bucket="lake.local", Key=f"free/{name}", Body=b"x")
    s3.delete_object(Bucket="lake.local", Key=f"free/{name}")
    written = [
        ("admin", "s3.put_object", 200, {"bucket": name, "key": "main/a"}),
        ("admin", "s3.copy_object", 200, {"bucket": name, "key": "main/b", "source": f"{name}/main/a"}),
        ("admin", "s3.delete_objects", 204, {"bucket": name, "key": "main/a"}),
        ("admin", "s3.delete_objects", 204, {"bucket": name, "key": "main/b"}),
        ("admin", "s3.put_object", 200, {"bucket": "lake.local", "key": f"free/{name}"}),
        ("admin", "s3.delete_object", 204, {"bucket": "lake.local", "key": f"free/{name}"}),
    ]
    read = ("admin", "s3.get_object", 200, {"bucket": name, "key": "main/a"})
    expected = {"changes": [], "writes": written, "all": [*written[:2], read, *written[2:]]}
    assert events(lake)[before:] == expected[level]


def test_refusals_to_known_users(audited) -> None:
    """Also of single keys, and at every level; what nobody in particular was refused, where writes are recorded."""
    level, lake, s3 = audited
    name = lake.repository()
    s3.put_object(Bucket=name, Key="main/a", Body=b"x")
    user = f"user-{name}"
    lake.post("/auth/users", {"id": user})
    statement = {
        "effect": "allow",
        "action": ["fs:DeleteObject"],
        "resource": f"arn:lakefs:fs:::repository/{name}/object/mine/*",
    }
    lake.post("/auth/policies", {"id": f"policy-{name}", "statement": [statement]})
    assert lake.rest.put(f"/auth/users/{user}/policies/policy-{name}").status_code == 201
    pair = lake.post(f"/auth/users/{user}/credentials", {})
    other = boto_client(lake.endpoint, pair["access_key_id"], pair["secret_access_key"])
    stranger = boto_client(lake.endpoint, "AKIANOBODYNOBODYNOBO", "x" * 40)
    with pytest.raises(ClientError):
        other.get_object(Bucket=name, Key="main/a")
    keys = [{"Key": "main/a"}, {"Key": "main/mine/b"}]
    assert [one["Key"] for one in other.delete_objects(Bucket=name, Delete={"Objects": keys})["Errors"]] == ["main/a"]
    with pytest.raises(ClientError):
        stranger.put_object(Bucket=name, Key="main/a", Body=b"y")
    other.close()
    stranger.close()
    found = events(lake, actor=user)
    refusals = [
        (user, "s3.get_object", 403, {"bucket": name, "key": "main/a"}),
        (user, "s3.delete_objects", 403, {"bucket": name, "key": "main/a"}),
    ]
    assert [one for one in found if one[2] == 403] == refusals
    assert len(found) == (2 if level == "changes" else 3)
    nobody = [one for one in events(lake) if one[0] == "" and one[3].get("bucket") == name]
    assert nobody == ([] if level == "changes" else [("", "s3.put", 403, {"bucket": name, "key": "main/a"})])


def test_what_the_server_signed(audited) -> None:
    """A presigned URL has no user of its own; who asked for it stands in the event of that request."""
    level, lake, _ = audited
    name = lake.repository()
    query = {"path": "a", "presign": "true"}
    url = lake.rest.get(f"/repositories/{name}/branches/main/staging/backing", params=query).json()["presigned_url"]
    assert httpx2.put(url, content=b"x").status_code == 200
    found = [one for one in events(lake) if one[3].get("signed_by") == "server" and name in one[3]["key"]]
    assert len(found) == (0 if level == "changes" else 1)
    assert all((actor, operation, status) == ("", "s3.put_object", 200) for actor, operation, status, _ in found)


def test_the_log_is_whole(audited) -> None:
    _, lake, _ = audited
    lake.run(lake.application._audit.flush())
    report = lake.rest.get("/auth/audit/verify").json()
    assert (report["whole"], report["broken"]) == (True, [])
