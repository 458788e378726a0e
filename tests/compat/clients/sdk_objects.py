# SPDX-License-Identifier: Apache-2.0
# environment: today
"""lakefs-sdk: objects and staging, each operation with its answer and its errors."""

from __future__ import annotations

import hashlib
import json
import time
from urllib.parse import quote

import checks
import lakefs_sdk
from checks import API, ENDPOINT, KEY, SECRET, equal, fails, fresh, namespace
from lakefs_sdk.client import LakeFSClient
from lakefs_sdk.exceptions import ApiException, BadRequestException, NotFoundException

LAKE = LakeFSClient(lakefs_sdk.Configuration(host=API, username=KEY, password=SECRET))
OBJECTS = LAKE.objects_api
STAGING = LAKE.staging_api


def new_repository(*paths: str) -> str:
    """A repository with these objects committed; each holds its own path."""
    name = fresh("objects")
    LAKE.repositories_api.create_repository(lakefs_sdk.RepositoryCreation(name=name, storage_namespace=namespace(name)))
    for path in paths:
        OBJECTS.upload_object(name, "main", path, content=path.encode())
    if paths:
        commit(name)
    return name


def commit(repository: str) -> str:
    made = LAKE.commits_api.commit(repository, "main", lakefs_sdk.CommitCreation(message="more"))
    return str(made.id)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def objects_url(repository: str, path: str, ref: str = "main", more: str = "") -> str:
    return f"/repositories/{repository}/refs/{ref}/objects?path={quote(path, safe='')}{more}"


def check_upload_form() -> None:
    repository = new_repository()
    before = int(time.time()) - 1
    stats = OBJECTS.upload_object(repository, "main", "form.bin", content=b"in a form")
    equal((stats.path, stats.path_type, stats.size_bytes), ("form.bin", "object", 9))
    equal(stats.checksum, md5(b"in a form"))
    equal(stats.content_type, "application/octet-stream")
    assert stats.physical_address.startswith(f"s3://lake.local/{repository}/data/"), stats.physical_address
    assert before <= stats.mtime <= time.time() + 1
    equal(bytes(OBJECTS.get_object(repository, "main", "form.bin")), b"in a form")


def check_upload_raw_with_metadata() -> None:
    repository = new_repository()
    status, headers, body = checks.http(
        "POST",
        f"/repositories/{repository}/branches/main/objects?path=raw.txt",
        data=b"raw body",
        headers={"Content-Type": "text/x-mine", "x-lakefs-meta-Color": "blue", "X-Lakefs-Internal-kind": "k"},
    )
    equal(status, 201)
    assert headers["content-type"].startswith("application/json")
    equal(headers["x-content-type-options"], "nosniff")
    assert headers["x-request-id"]
    answer = json.loads(body)
    equal(answer["metadata"], {"color": "blue", "::lakefs::kind": "k"})
    stats = OBJECTS.stat_object(repository, "main", "raw.txt")
    equal(stats.content_type, "text/x-mine")
    equal(stats.metadata, {"color": "blue", "::lakefs::kind": "k"})
    equal(OBJECTS.stat_object(repository, "main", "raw.txt", user_metadata=False).metadata, {})


def check_upload_empty() -> None:
    repository = new_repository()
    status, _, _ = checks.http("POST", f"/repositories/{repository}/branches/main/objects?path=empty", data=b"")
    equal(status, 201)
    stats = OBJECTS.stat_object(repository, "main", "empty")
    equal((stats.size_bytes, stats.checksum), (0, md5(b"")))
    equal(bytes(OBJECTS.get_object(repository, "main", "empty")), b"")
    with fails(ApiException, status=416):
        OBJECTS.get_object(repository, "main", "empty", range="bytes=0-0")


def check_conditional_upload() -> None:
    repository = new_repository("there")
    with fails(ApiException, status=412):
        OBJECTS.upload_object(repository, "main", "there", if_none_match="*", content=b"x")
    OBJECTS.upload_object(repository, "main", "new", if_none_match="*", content=b"x")
    with fails(ApiException, status=412):
        OBJECTS.upload_object(repository, "main", "new", if_none_match="*", content=b"y")
    OBJECTS.delete_object(repository, "main", "there")
    OBJECTS.upload_object(repository, "main", "there", if_none_match="*", content=b"again")
    with fails(ApiException, status=501):
        OBJECTS.upload_object(repository, "main", "new", if_none_match="other", content=b"y")
    with fails(ApiException, status=501):
        OBJECTS.upload_object(repository, "main", "new", if_match="other", content=b"y")
    equal(bytes(OBJECTS.get_object(repository, "main", "new")), b"x")


def check_upload_errors() -> None:
    repository = new_repository()
    with fails(NotFoundException, status=404, says="branch"):
        OBJECTS.upload_object(repository, "absent", "a", content=b"x")
    with fails(NotFoundException, status=404, says="repository not found"):
        OBJECTS.upload_object(fresh("absent"), "main", "a", content=b"x")
    with fails(BadRequestException, status=400):
        OBJECTS.upload_object(repository, "main", "", content=b"x")
    OBJECTS.upload_object(repository, "main", "k" * 1024, content=b"x")
    with fails(BadRequestException, status=400):
        OBJECTS.upload_object(repository, "main", "k" * 1025, content=b"x")


def check_get_headers_and_ranges() -> None:
    repository = new_repository()
    data = bytes(range(256)) * 8
    stats = OBJECTS.upload_object(repository, "main", "r.bin", content=data)
    answer = OBJECTS.get_object_with_http_info(repository, "main", "r.bin")
    equal(answer.status_code, 200)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    equal(headers["etag"], f'"{stats.checksum}"')
    equal(headers["content-length"], str(len(data)))
    equal(headers["x-content-type-options"], "nosniff")
    assert "sandbox" in headers["content-security-policy"]
    assert headers["last-modified"].endswith("GMT")
    for asked, found, said in [
        ("bytes=0-9", data[:10], f"bytes 0-9/{len(data)}"),
        ("bytes=2000-9999", data[2000:], f"bytes 2000-2047/{len(data)}"),
        ("bytes=2040-", data[2040:], f"bytes 2040-2047/{len(data)}"),
        ("bytes=-8", data[-8:], f"bytes 2040-2047/{len(data)}"),
    ]:
        part = OBJECTS.get_object_with_http_info(repository, "main", "r.bin", range=asked)
        equal((part.status_code, bytes(part.data), part.headers["Content-Range"]), (206, found, said))
    with fails(ApiException, status=416) as caught:
        OBJECTS.get_object(repository, "main", "r.bin", range="bytes=2048-")
    equal(caught[0].headers["Content-Range"], "bytes */2048")
    with fails(ApiException, status=416):
        OBJECTS.get_object(repository, "main", "r.bin", range="bytes=9-1")
    with fails(ApiException, status=304):
        OBJECTS.get_object(repository, "main", "r.bin", if_none_match=f'"{stats.checksum}"')


def check_head() -> None:
    repository = new_repository("h.txt")
    answer = OBJECTS.head_object_with_http_info(repository, "main", "h.txt")
    equal((answer.status_code, answer.headers["Content-Length"]), (200, "5"))
    equal(answer.headers["Accept-Ranges"], "bytes")
    equal(OBJECTS.head_object_with_http_info(repository, "main", "h.txt", range="bytes=1-2").status_code, 206)
    with fails(NotFoundException, status=404):
        OBJECTS.head_object(repository, "main", "absent")
    status, _, body = checks.http("HEAD", objects_url(repository, "absent"))
    equal((status, body), (404, b""))


def check_presigned_get() -> None:
    repository = new_repository("p.txt")
    stats = OBJECTS.stat_object(repository, "main", "p.txt", presign=True)
    assert stats.physical_address.startswith(f"{ENDPOINT}/lake.local/"), stats.physical_address
    if stats.physical_address_expiry is not None:
        assert stats.physical_address_expiry > time.time()
    status, headers, body = checks.http("GET", stats.physical_address, headers={"Authorization": ""})
    equal((status, body), (200, b"p.txt"))
    assert "sandbox" in headers["content-security-policy"]
    equal(bytes(OBJECTS.get_object(repository, "main", "p.txt", presign=True)), b"p.txt")
    listed = OBJECTS.list_objects(repository, "main", presign=True).results
    equal(checks.http("GET", listed[0].physical_address, headers={"Authorization": ""})[2], b"p.txt")


def check_get_and_stat_errors() -> None:
    repository = new_repository("dir/a")
    for call in (OBJECTS.get_object, OBJECTS.stat_object):
        for ref, path in (
            ("main", "absent"),
            ("main", "dir"),
            ("main", "dir/"),
            ("absent", "dir/a"),
            ("main~9", "dir/a"),
        ):
            with fails(NotFoundException, status=404):
                call(repository, ref, path)
        with fails(BadRequestException, status=400):
            call(repository, "main", "")
        with fails(BadRequestException, status=400):
            call(repository, "main@~1", "dir/a")


def check_list() -> None:
    paths = ["a", "a.b", "a/b", "a/c/d", "b/", "é", "~"]
    repository = new_repository(*paths)
    every = OBJECTS.list_objects(repository, "main")
    equal([item.path for item in every.results], sorted(paths, key=str.encode))
    equal((every.pagination.results, every.pagination.max_per_page, every.pagination.next_offset), (7, 1000, ""))
    grouped = OBJECTS.list_objects(repository, "main", delimiter="/")
    equal(
        [(item.path, item.path_type) for item in grouped.results],
        [
            ("a", "object"),
            ("a.b", "object"),
            ("a/", "common_prefix"),
            ("b/", "common_prefix"),
            ("~", "object"),
            ("é", "object"),
        ],
    )
    equal(
        [item.path for item in OBJECTS.list_objects(repository, "main", prefix="a/", delimiter="/").results],
        ["a/b", "a/c/"],
    )
    equal([item.path for item in OBJECTS.list_objects(repository, "main", prefix="a/", after="a/b").results], ["a/c/d"])
    equal(
        [item.path for item in OBJECTS.list_objects(repository, "main", after="a/", delimiter="/").results],
        ["b/", "~", "é"],
    )
    found: list[str] = []
    after = ""
    while True:
        page = OBJECTS.list_objects(repository, "main", amount=2, after=after)
        found += [item.path for item in page.results]
        assert len(page.results) <= 2
        if not page.pagination.has_more:
            break
        after = page.pagination.next_offset
        equal(after, found[-1])
    equal(found, sorted(paths, key=str.encode))
    equal(OBJECTS.list_objects(repository, "main", prefix="none/").results, [])
    for amount in ("-2", "1001", "x"):
        status, _, _ = checks.http("GET", f"/repositories/{repository}/refs/main/objects/ls?amount={amount}")
        equal(status, 400)
    with fails(NotFoundException, status=404):
        OBJECTS.list_objects(repository, "absent")


def check_list_shows_uncommitted_changes_of_branches_only() -> None:
    repository = new_repository("kept", "removed")
    OBJECTS.upload_object(repository, "main", "new", content=b"n")
    OBJECTS.delete_object(repository, "main", "removed")
    equal([item.path for item in OBJECTS.list_objects(repository, "main").results], ["kept", "new"])
    equal([item.path for item in OBJECTS.list_objects(repository, "main$").results], ["kept", "new"])
    equal([item.path for item in OBJECTS.list_objects(repository, "main@").results], ["kept", "removed"])
    head = LAKE.branches_api.get_branch(repository, "main").commit_id
    equal([item.path for item in OBJECTS.list_objects(repository, head).results], ["kept", "removed"])
    equal([item.path for item in OBJECTS.list_objects(repository, head[:12]).results], ["kept", "removed"])


def check_delete() -> None:
    repository = new_repository("a", "b", "c")
    OBJECTS.delete_object(repository, "main", "a")
    OBJECTS.delete_object(repository, "main", "a")
    OBJECTS.delete_object(repository, "main", "never")
    with fails(NotFoundException, status=404):
        OBJECTS.stat_object(repository, "main", "a")
    changes = LAKE.branches_api.diff_branch(repository, "main").results
    equal([(change.type, change.path) for change in changes], [("removed", "a")])
    with fails(NotFoundException, status=404):
        OBJECTS.delete_object(repository, "absent", "a")
    answer = OBJECTS.delete_objects(repository, "main", lakefs_sdk.PathList(paths=["b", "c", "never"]))
    equal(answer.errors, [])
    equal(OBJECTS.list_objects(repository, "main").results, [])
    with fails(BadRequestException, status=400, says="request size exceeded, max paths is set to 1000"):
        OBJECTS.delete_objects(repository, "main", lakefs_sdk.PathList(paths=[str(n) for n in range(1001)]))
    equal(len(OBJECTS.list_objects(repository, "main@").results), 3)


def check_delete_of_an_uncommitted_object_is_no_change() -> None:
    repository = new_repository("a")
    OBJECTS.upload_object(repository, "main", "b", content=b"b")
    OBJECTS.delete_object(repository, "main", "b")
    equal(LAKE.branches_api.diff_branch(repository, "main").results, [])


def check_copy() -> None:
    repository = new_repository()
    checks.http(
        "POST",
        f"/repositories/{repository}/branches/main/objects?path=from",
        data=b"bytes",
        headers={"Content-Type": "text/plain", "x-lakefs-meta-k": "v"},
    )
    first = commit(repository)
    source = OBJECTS.stat_object(repository, "main", "from")
    stats = OBJECTS.copy_object(repository, "main", "to", lakefs_sdk.ObjectCopyCreation(src_path="from"))
    equal((stats.path, stats.checksum, stats.size_bytes), ("to", source.checksum, 5))
    equal((stats.content_type, stats.metadata), ("text/plain", {"k": "v"}))
    assert stats.physical_address != source.physical_address
    OBJECTS.delete_object(repository, "main", "from")
    OBJECTS.copy_object(repository, "main", "to2", lakefs_sdk.ObjectCopyCreation(src_path="from", src_ref=first))
    equal(bytes(OBJECTS.get_object(repository, "main", "to2")), b"bytes")
    with fails(NotFoundException, status=404):
        OBJECTS.copy_object(repository, "main", "x", lakefs_sdk.ObjectCopyCreation(src_path="from"))
    with fails(NotFoundException, status=404):
        OBJECTS.copy_object(repository, "absent", "x", lakefs_sdk.ObjectCopyCreation(src_path="to", src_ref="main"))
    with fails(ApiException, status=501):
        OBJECTS.copy_object(repository, "main", "x", lakefs_sdk.ObjectCopyCreation(src_path="to", shallow=True))


def check_user_metadata() -> None:
    repository = new_repository("m")
    LAKE.experimental_api.update_object_user_metadata(
        repository, "main", "m", lakefs_sdk.UpdateObjectUserMetadata(set={"a": "1"})
    )
    equal(OBJECTS.stat_object(repository, "main", "m").metadata, {"a": "1"})
    LAKE.experimental_api.update_object_user_metadata(
        repository, "main", "m", lakefs_sdk.UpdateObjectUserMetadata(set={"b": "2"})
    )
    equal(OBJECTS.stat_object(repository, "main", "m").metadata, {"b": "2"})
    equal(OBJECTS.list_objects(repository, "main", user_metadata=True).results[0].metadata, {"b": "2"})
    changes = LAKE.branches_api.diff_branch(repository, "main").results
    equal([(change.type, change.path) for change in changes], [("changed", "m")])
    with fails(NotFoundException, status=404):
        LAKE.experimental_api.update_object_user_metadata(
            repository, "main", "absent", lakefs_sdk.UpdateObjectUserMetadata(set={"a": "1"})
        )


def staged(location: lakefs_sdk.StagingLocation, data: bytes, **more: object) -> lakefs_sdk.StagingMetadata:
    return lakefs_sdk.StagingMetadata(staging=location, checksum=md5(data), size_bytes=len(data), **more)


def put(url: str, data: bytes) -> int:
    return checks.http("PUT", url, data=data, headers={"Authorization": ""})[0]


def check_link_after_a_commit_without_token() -> None:
    """Clients of today send only the address back: a commit in between is no reason to refuse it."""
    repository = new_repository()
    data = b"large"
    location = STAGING.get_physical_address(repository, "main", "l", presign=True)
    equal(put(location.presigned_url, data), 200)
    OBJECTS.upload_object(repository, "main", "other", content=b"o")
    commit(repository)
    echoed = lakefs_sdk.StagingLocation(physical_address=location.physical_address)
    stats = STAGING.link_physical_address(
        repository, "main", "l", staged(echoed, data, content_type="text/plain", user_metadata={"k": "v"}, mtime=1234)
    )
    equal((stats.path, stats.size_bytes, stats.checksum, stats.mtime), ("l", 5, md5(data), 1234))
    equal((stats.content_type, stats.metadata), ("text/plain", {"k": "v"}))
    equal(stats.physical_address, location.physical_address)
    STAGING.link_physical_address(repository, "main", "l", staged(echoed, data))
    equal(bytes(OBJECTS.get_object(repository, "main", "l")), data)


def check_link_errors() -> None:
    repository = new_repository()
    location = STAGING.get_physical_address(repository, "main", "l")
    address = location.physical_address
    with fails(BadRequestException, status=400, says="invalid address"):
        STAGING.link_physical_address(repository, "main", "elsewhere", staged(location, b"x"))
    unsigned = lakefs_sdk.StagingLocation(physical_address=address.rpartition(",")[0])
    with fails(BadRequestException, status=400, says="link address invalid"):
        STAGING.link_physical_address(repository, "main", "l", staged(unsigned, b"x"))
    other = new_repository()
    with fails(BadRequestException, status=400):
        STAGING.link_physical_address(other, "main", "l", staged(location, b"x"))
    for spelling in (
        address.replace("s3://", "S3://"),
        address.replace("/data/", "//data/"),
        address.replace("/data/", "/./data/"),
    ):
        odd = lakefs_sdk.StagingLocation(physical_address=spelling)
        with fails(BadRequestException, status=400):
            STAGING.link_physical_address(repository, "main", "l", staged(odd, b"x"))
    with fails(BadRequestException, status=400, says="checksum"):
        STAGING.link_physical_address(
            repository, "main", "l", lakefs_sdk.StagingMetadata(staging=location, checksum='""', size_bytes=1)
        )
    with fails(NotFoundException, status=404):
        STAGING.link_physical_address(repository, "absent", "l", staged(location, b"x"))
    with fails(NotFoundException, status=404):
        STAGING.get_physical_address(repository, "absent", "l")
    with fails(NotFoundException, status=404):
        STAGING.get_physical_address(fresh("absent"), "main", "l")


def check_conditional_link() -> None:
    repository = new_repository("there")
    location = STAGING.get_physical_address(repository, "main", "there", presign=True)
    put(location.presigned_url, b"x")
    with fails(ApiException, status=412):
        STAGING.link_physical_address(repository, "main", "there", staged(location, b"x"), if_none_match="*")
    with fails(ApiException, status=501):
        STAGING.link_physical_address(repository, "main", "there", staged(location, b"x"), if_match="y")
    equal(bytes(OBJECTS.get_object(repository, "main", "there")), b"there")


def check_presigned_put_is_write_once() -> None:
    repository = new_repository()
    location = STAGING.get_physical_address(repository, "main", "w", presign=True)
    equal(put(location.presigned_url, b"first"), 200)
    equal(put(location.presigned_url, b"first"), 200)
    equal(put(location.presigned_url, b"other"), 412)
    STAGING.link_physical_address(repository, "main", "w", staged(location, b"first"))
    equal(put(location.presigned_url, b"other"), 412)
    equal(bytes(OBJECTS.get_object(repository, "main", "w")), b"first")
    other = "0" if location.presigned_url[-1] != "0" else "1"
    equal(put(location.presigned_url[:-1] + other, b"first"), 403)


if __name__ == "__main__":
    checks.run(globals())
