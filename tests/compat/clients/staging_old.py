# SPDX-License-Identifier: Apache-2.0
# environment: old
"""lakefs-client 0.66.0: the generation whose staging locations carry a token that the link sends back."""

from __future__ import annotations

import hashlib
import io
import json
from urllib.parse import urlsplit

import boto3
import checks
import lakefs_client
import urllib3
from botocore.config import Config
from checks import API, ENDPOINT, KEY, SECRET, equal, fails, fresh, namespace
from lakefs_client import models
from lakefs_client.client import LakeFSClient
from lakefs_client.exceptions import ApiException, NotFoundException, UnauthorizedException


def client(**settings: str) -> LakeFSClient:
    return LakeFSClient(lakefs_client.Configuration(host=API, **settings))


LAKE = client(username=KEY, password=SECRET)
STORE = boto3.client(
    "s3",
    endpoint_url=ENDPOINT,
    aws_access_key_id=KEY,
    aws_secret_access_key=SECRET,
    region_name="us-east-1",
    config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
)


def new_repository() -> str:
    name = fresh("old")
    LAKE.repositories.create_repository(
        models.RepositoryCreation(name=name, storage_namespace=namespace(name), default_branch="main")
    )
    return name


def place(address: str) -> tuple[str, str]:
    """Bucket and key of a physical address."""
    parts = urlsplit(address)
    equal(parts.scheme, "s3")
    return parts.netloc, parts.path.lstrip("/")


def upload(address: str, data: bytes) -> str:
    """Put the bytes at a physical address with boto3; returns the ETag as the store gave it."""
    bucket, key = place(address)
    return str(STORE.put_object(Bucket=bucket, Key=key, Body=data)["ETag"])


def metadata(location: models.StagingLocation, data: bytes) -> models.StagingMetadata:
    return models.StagingMetadata(staging=location, checksum=hashlib.md5(data).hexdigest(), size_bytes=len(data))


def link(repository: str, path: str, location: models.StagingLocation, data: bytes) -> models.ObjectStats:
    return LAKE.staging.link_physical_address(repository, "main", path, staging_metadata=metadata(location, data))


def commit(repository: str, message: str) -> models.Commit:
    return LAKE.commits.commit(repository, "main", models.CommitCreation(message=message))


def read(repository: str, ref: str, path: str) -> bytes:
    with LAKE.objects.get_object(repository, ref, path) as file:
        return bytes(file.read())


def check_address_upload_link_commit_read() -> None:
    repository = new_repository()
    data = b"first bytes"
    location = LAKE.staging.get_physical_address(repository, "main", "dir/a.bin")
    assert location.token
    bucket, key = place(location.physical_address)
    equal(bucket, "lake.local")
    assert key.startswith(f"{repository}/data/"), key

    equal(upload(location.physical_address, data).strip('"'), hashlib.md5(data).hexdigest())
    stats = link(repository, "dir/a.bin", location, data)
    equal(stats.path, "dir/a.bin")
    equal(stats.path_type, "object")
    equal(stats.size_bytes, len(data))
    equal(stats.physical_address, location.physical_address)
    equal(read(repository, "main", "dir/a.bin"), data)

    made = commit(repository, "one object")
    equal(made.message, "one object")
    equal(len(made.id), 64)
    equal(read(repository, made.id, "dir/a.bin"), data)
    equal(LAKE.branches.get_branch(repository, "main").commit_id, made.id)
    equal(list(LAKE.branches.diff_branch(repository, "main").results), [])


def check_presigned_upload() -> None:
    """This client has no method to ask for the URL, but its type takes one along and sends it back."""
    repository = new_repository()
    data = b"through a URL"
    status, _, body = checks.http(
        "GET", f"/repositories/{repository}/branches/main/staging/backing?path=p.bin&presign=true"
    )
    equal(status, 200)
    answer = json.loads(body)
    assert answer["token"]
    assert answer["presigned_url"].startswith(ENDPOINT), answer["presigned_url"]
    put = urllib3.PoolManager().request("PUT", answer["presigned_url"], body=data)
    equal(put.status, 200)
    equal(put.headers["ETag"].strip('"'), hashlib.md5(data).hexdigest())
    location = models.StagingLocation(
        token=answer["token"],
        physical_address=answer["physical_address"],
        presigned_url=answer["presigned_url"],
    )
    link(repository, "p.bin", location, data)
    equal(read(repository, "main", "p.bin"), data)


def stale(repository: str, path: str, data: bytes) -> tuple[models.StagingLocation, models.StagingLocation]:
    """Ask, upload, let a commit take the staging area, link: the first location, and the one of the 409."""
    first = LAKE.staging.get_physical_address(repository, "main", path)
    upload(first.physical_address, data)
    other = LAKE.staging.get_physical_address(repository, "main", "other")
    upload(other.physical_address, b"other")
    link(repository, "other", other, b"other")
    commit(repository, "takes the staging area")
    with fails(ApiException, status=409) as caught:
        link(repository, path, first, data)
    body = json.loads(caught[0].body)
    fresh_location = models.StagingLocation(token=body["token"], physical_address=body["physical_address"])
    assert fresh_location.token != first.token
    assert fresh_location.physical_address != first.physical_address
    return first, fresh_location


def check_stale_token_then_new_token_with_first_address() -> None:
    repository = new_repository()
    data = b"not copied"
    first, again = stale(repository, "late.bin", data)
    location = models.StagingLocation(token=again.token, physical_address=first.physical_address)
    link(repository, "late.bin", location, data)
    equal(read(repository, "main", "late.bin"), data)
    commit(repository, "late")


def check_stale_token_then_copied_object() -> None:
    repository = new_repository()
    data = b"copied in the store"
    first, again = stale(repository, "late.bin", data)
    bucket, key = place(first.physical_address)
    to_bucket, to_key = place(again.physical_address)
    STORE.copy_object(Bucket=to_bucket, Key=to_key, CopySource={"Bucket": bucket, "Key": key})
    link(repository, "late.bin", again, data)
    equal(read(repository, "main", "late.bin"), data)
    made = commit(repository, "late")
    equal(read(repository, made.id, "late.bin"), data)


def check_stale_token_does_nothing() -> None:
    repository = new_repository()
    stale(repository, "late.bin", b"x")
    with fails(NotFoundException, status=404):
        LAKE.objects.stat_object(repository, "main", "late.bin")


def check_failed_commit_leaves_the_token_good() -> None:
    repository = new_repository()
    location = LAKE.staging.get_physical_address(repository, "main", "a")
    with fails(ApiException, status=400, says="no changes"):
        commit(repository, "nothing there")
    upload(location.physical_address, b"a")
    link(repository, "a", location, b"a")


def check_tampered_location_is_refused() -> None:
    repository = new_repository()
    location = LAKE.staging.get_physical_address(repository, "main", "a")
    upload(location.physical_address, b"a")
    with fails(ApiException, status=400):
        link(repository, "another/path", location, b"a")
    wrong_token = models.StagingLocation(token="forged", physical_address=location.physical_address)
    with fails(ApiException, status=400):
        link(repository, "a", wrong_token, b"a")
    last = "A" if location.physical_address[-2] != "A" else "B"
    changed = location.physical_address[:-2] + last + location.physical_address[-1]
    with fails(ApiException, status=400):
        link(repository, "a", models.StagingLocation(token=location.token, physical_address=changed), b"a")
    with fails(NotFoundException, status=404):
        LAKE.objects.stat_object(repository, "main", "a")


def check_unknown_branch_and_repository() -> None:
    repository = new_repository()
    with fails(NotFoundException, status=404, says="branch"):
        LAKE.staging.get_physical_address(repository, "absent", "a")
    with fails(NotFoundException, status=404, says="repository not found"):
        LAKE.staging.get_physical_address(fresh("absent"), "main", "a")
    location = LAKE.staging.get_physical_address(repository, "main", "a")
    with fails(NotFoundException, status=404):
        LAKE.staging.link_physical_address(repository, "absent", "a", staging_metadata=metadata(location, b"a"))


def check_upload_list_stat_get_delete() -> None:
    repository = new_repository()
    for path in ("images/1.png", "images/2.png", "tables/t.csv"):
        file = io.BytesIO(path.encode())
        file.name = path.rpartition("/")[2]
        LAKE.objects.upload_object(repository, "main", path, content=file)
    listing = LAKE.objects.list_objects(repository, "main", prefix="", delimiter="/")
    equal(
        [(item.path, item.path_type) for item in listing.results],
        [("images/", "common_prefix"), ("tables/", "common_prefix")],
    )
    equal(listing.pagination.has_more, False)
    page = LAKE.objects.list_objects(repository, "main", prefix="images/", amount=1)
    equal([item.path for item in page.results], ["images/1.png"])
    equal((page.pagination.has_more, page.pagination.next_offset), (True, "images/1.png"))
    page = LAKE.objects.list_objects(repository, "main", prefix="images/", after=page.pagination.next_offset)
    equal([item.path for item in page.results], ["images/2.png"])

    stats = LAKE.objects.stat_object(repository, "main", "tables/t.csv")
    equal(stats.size_bytes, len("tables/t.csv"))
    equal(stats.checksum, hashlib.md5(b"tables/t.csv").hexdigest())
    equal(read(repository, "main", "tables/t.csv"), b"tables/t.csv")

    commit(repository, "three")
    LAKE.objects.delete_object(repository, "main", "images/1.png")
    with fails(NotFoundException, status=404):
        LAKE.objects.get_object(repository, "main", "images/1.png")
    changes = LAKE.branches.diff_branch(repository, "main").results
    equal([(change.type, change.path) for change in changes], [("removed", "images/1.png")])
    answer = LAKE.objects.delete_objects(repository, "main", models.PathList(paths=["images/2.png", "absent"]))
    equal(list(answer.errors), [])


def check_branches_tags_diff_merge() -> None:
    repository = new_repository()
    LAKE.branches.create_branch(repository, models.BranchCreation(name="work", source="main"))
    file = io.BytesIO(b"w")
    file.name = "w"
    LAKE.objects.upload_object(repository, "work", "w", content=file)
    LAKE.commits.commit(repository, "work", models.CommitCreation(message="w", metadata={"who": "me"}))
    differences = LAKE.refs.diff_refs(repository, "main", "work").results
    equal([(change.type, change.path) for change in differences], [("added", "w")])
    answer = LAKE.refs.merge_into_branch(repository, "work", "main")
    merged = answer.reference
    equal([answer.summary.added, answer.summary.removed, answer.summary.changed], [1, 0, 0])
    equal(LAKE.branches.get_branch(repository, "main").commit_id, merged)
    LAKE.tags.create_tag(repository, models.TagCreation(id="v1", ref="main"))
    equal(LAKE.tags.get_tag(repository, "v1").commit_id, merged)
    messages = [entry.message for entry in LAKE.refs.log_commits(repository, "main").results]
    equal(sorted(messages), sorted(["Merge 'work' into 'main'", "w", "Repository created"]))
    names = [branch.id for branch in LAKE.branches.list_branches(repository).results]
    equal(names, ["main", "work"])
    LAKE.branches.delete_branch(repository, "work")
    with fails(NotFoundException, status=404, says="branch not found"):
        LAKE.branches.get_branch(repository, "work")


def log_in() -> tuple[str, str]:
    """The token of a login, and the cookie `access_token` as its answer set it."""
    token, _, headers = LAKE.auth.login(
        login_information=models.LoginInformation(access_key_id=KEY, secret_access_key=SECRET),
        _return_http_data_only=False,
    )
    cookies = headers.getlist("Set-Cookie") if hasattr(headers, "getlist") else [headers["Set-Cookie"]]
    jar = ", ".join(cookies)
    assert "access_token=" in jar, f"no cookie named access_token in {jar}"
    value = jar.split("access_token=", 1)[1].split(";", 1)[0]
    return token.token, f"access_token={value}"


def check_cookie_authentication() -> None:
    _, cookie = log_in()
    jar = LakeFSClient(lakefs_client.Configuration(host=API), cookie=cookie)
    equal(jar.auth.get_current_user().user.id, LAKE.auth.get_current_user().user.id)
    repository = new_repository()
    assert jar.staging.get_physical_address(repository, "main", "a").token


def check_login_token_as_cookie() -> None:
    """The cookie of this generation holds the token itself."""
    token, _ = log_in()
    jar = LakeFSClient(lakefs_client.Configuration(host=API), cookie=f"access_token={token}")
    assert jar.repositories.list_repositories().results is not None


def check_bearer_authentication() -> None:
    token, _ = log_in()
    bearer = client(access_token=token)
    assert bearer.auth.get_current_user().user.id
    repository = new_repository()
    equal(bearer.repositories.get_repository(repository).id, repository)


def check_wrong_credentials() -> None:
    with fails(UnauthorizedException, status=401, says="error authenticating request"):
        client(username=KEY, password="wrong").repositories.list_repositories()
    with fails(UnauthorizedException, status=401, says="error authenticating request"):
        client(access_token="wrong").repositories.list_repositories()
    with fails(UnauthorizedException, status=401):
        LakeFSClient(lakefs_client.Configuration(host=API)).repositories.list_repositories()
    with fails(UnauthorizedException, status=401):
        LAKE.auth.login(login_information=models.LoginInformation(access_key_id=KEY, secret_access_key="wrong"))


def check_existing_repository() -> None:
    repository = new_repository()
    with fails(ApiException, status=409, says="not unique"):
        LAKE.repositories.create_repository(
            models.RepositoryCreation(name=repository, storage_namespace=namespace(repository + "-other"))
        )


if __name__ == "__main__":
    checks.run(globals())
