# SPDX-License-Identifier: Apache-2.0
"""Our own bucket interface against a running server: every method, and what it promises of memory and order."""

from __future__ import annotations

import asyncio
import os
import stat
import time
import tracemalloc

import httpx2
import msgspec
import pytest

from lakehouse.core import errors
from lakehouse.sdk import Retry
from lakehouse.sdk.buckets import (
    URL,
    AbstractDeleteProgress,
    AbstractRecursiveFileProgress,
    BlobCommonPrefix,
    Bucket,
    BucketsClient,
    ResourceNotFound,
)
from lakehouse.sdk.buckets import upload as parts
from tests.running import running_server

pytestmark = pytest.mark.anyio
MIB = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("lake")) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
async def client(server):
    async with BucketsClient(server.url, access_key_id=server.key, secret_access_key=server.secret) as made:
        yield made


@pytest.fixture
def buckets(client):
    return client.buckets


_names = iter(f"bucket-{number}" for number in range(1000))


@pytest.fixture
async def bucket(buckets):
    return await buckets.create(next(_names))


def local(path) -> URL:
    return URL(path.as_uri())


async def all_of(listing) -> list:
    async with listing as found:
        return [one async for one in found]


async def keys(buckets, uri, **options) -> list[str]:
    return [entry.key for entry in await all_of(buckets.list_blobs(uri, **options))]


async def content(buckets, bucket, key, offset=0) -> bytes:
    return b"".join(await all_of(buckets.fetch_blob(bucket.id, key, offset)))


async def put_all(buckets, bucket, *names) -> None:
    for name in names:
        await buckets.put_blob(bucket.id, name, name.encode())


def filled(folder, files: dict[str, bytes]):
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


class Told(AbstractRecursiveFileProgress, AbstractDeleteProgress):
    """Everything that was told, in order."""

    def __init__(self) -> None:
        self.calls = []

    def of(self, kind) -> list:
        return [data for name, data in self.calls if name == kind]

    def start(self, data):
        self.calls.append(("start", data))

    def step(self, data):
        self.calls.append(("step", data))

    def complete(self, data):
        self.calls.append(("complete", data))

    def enter(self, data):
        self.calls.append(("enter", data))

    def leave(self, data):
        self.calls.append(("leave", data))

    def fail(self, data):
        self.calls.append(("fail", data))

    def delete(self, data):
        self.calls.append(("delete", data))


# -- buckets -----------------------------------------------------------------------------------------------------------


async def test_buckets(buckets, bucket) -> None:
    assert (bucket.owner, bucket.cluster_name, bucket.org_name) == ("admin", "lakehouse", "lakehouse")
    assert (bucket.provider, bucket.imported, bucket.public) == (Bucket.Provider.MINIO, False, False)
    assert bucket.uri == URL(f"blob://lakehouse/lakehouse/admin/{bucket.name}")
    assert await buckets.get(bucket.name) == await buckets.get(bucket.id) == bucket
    assert await buckets.get(bucket.name, bucket_owner="admin", cluster_name="lakehouse") == bucket
    assert bucket in await all_of(buckets.list())
    with pytest.raises(errors.BucketExists):
        await buckets.create(bucket.name)
    with pytest.raises(errors.InvalidName):
        await buckets.create("ab")
    with pytest.raises(ResourceNotFound):
        await buckets.get(bucket.name, bucket_owner="nobody")
    with pytest.raises(ResourceNotFound, match="cluster"):
        await buckets.get(bucket.name, cluster_name="elsewhere")
    nameless = await buckets.create(None)
    await buckets.put_blob(nameless.id, "a", b"x")
    assert await keys(buckets, nameless.uri) == ["a"]
    with pytest.raises(errors.RepositoryNotEmpty):
        await buckets.rm(nameless.id)
    await buckets.blob_rm(nameless.uri, recursive=True)
    await buckets.rm(nameless.id)
    with pytest.raises(ResourceNotFound):
        await buckets.rm(nameless.id)


async def test_imported_buckets(buckets, bucket) -> None:
    lasting = await buckets.persistent_credentials_create([bucket.id], None)
    given = dict(lasting.credentials[0].credentials)
    place = given.pop("bucket_name")
    made = await buckets.import_external(Bucket.Provider.AWS, place, given, name=f"{bucket.name}-there")
    await buckets.put_blob(made.id, "a/b", b"there")
    assert await content(buckets, bucket, "a/b") == b"there"
    assert await keys(buckets, made.uri, recursive=True) == ["a/b"]
    azure = await buckets.import_external(Bucket.Provider.AZURE, "x", {"sas_token": "t"}, f"{bucket.name}-azure")
    assert (await buckets.request_tmp_credentials(azure.id)).credentials == {"bucket_name": "x", "sas_token": "t"}
    with pytest.raises(errors.Unsupported, match="azure"):
        await buckets.head_blob(azure.id, "a")


async def test_credentials(buckets, bucket) -> None:
    found = await buckets.request_tmp_credentials(bucket.name)
    assert (found.bucket_id, found.provider) == (bucket.id, Bucket.Provider.MINIO)
    made = await buckets.persistent_credentials_create((bucket.id,), f"{bucket.name}-keys", read_only=True)
    assert (made.name, made.read_only, made.cluster_name) == (f"{bucket.name}-keys", True, "lakehouse")
    assert await buckets.persistent_credentials_get(made.name) == made
    assert made in await all_of(buckets.persistent_credentials_list())
    with pytest.raises(errors.BucketCredentialsExist):
        await buckets.persistent_credentials_create([bucket.id], made.name)
    with pytest.raises(ResourceNotFound):
        await buckets.persistent_credentials_create(["absent"], None)
    await buckets.persistent_credentials_rm(made.id)
    with pytest.raises(ResourceNotFound):
        await buckets.persistent_credentials_get(made.name)


async def test_signed_urls_and_public_access(buckets, bucket) -> None:
    await put_all(buckets, bucket, "dir/a b+c%20ü")
    async with httpx2.AsyncClient() as http:
        url = await buckets.make_signed_url(bucket.uri / "dir/a b+c%20ü", 60)
        assert (await http.get(str(url))).text == "dir/a b+c%20ü"
        given = (await buckets.request_tmp_credentials(bucket.id)).credentials
        plain = f"{given['endpoint_url']}/{given['bucket_name']}/dir/a%20b%2Bc%2520%C3%BC"
        assert (await http.get(plain)).status_code == 403
        assert (await buckets.set_public_access(bucket.name, True)).public
        assert (await http.get(plain)).text == "dir/a b+c%20ü"
        assert not (await buckets.set_public_access(bucket.name, False)).public
        assert (await http.get(plain)).status_code == 403
    with pytest.raises(errors.InvalidArgument):
        await buckets.make_signed_url(bucket.uri / "a", 0)


async def test_logins(server) -> None:
    async with BucketsClient(server.url, access_key_id=server.key, secret_access_key="wrong" * 8) as client:
        with pytest.raises(errors.Unauthenticated):
            await all_of(client.buckets.list())
    async with BucketsClient(server.url, token="a.e30.c") as client:
        with pytest.raises(errors.LakehouseError):
            await client.buckets.get("x")
    for wrong in ({}, {"token": "x", "access_key_id": "y", "secret_access_key": "z"}, {"access_key_id": "y"}):
        with pytest.raises(errors.InvalidArgument):
            BucketsClient(server.url, **wrong)
    with pytest.raises(errors.InvalidArgument):
        BucketsClient("localhost", token="x")
    async with BucketsClient("http://127.0.0.1:1", token="x", retry=Retry(attempts=1)) as client:
        with pytest.raises(errors.Unavailable):
            await client.buckets.get("x")


# -- blobs -------------------------------------------------------------------------------------------------------------


async def test_blobs(buckets, bucket) -> None:
    await buckets.put_blob(bucket.id, "dir/a", b"0123456789")
    entry = await buckets.head_blob(bucket.name, "dir/a")
    assert (entry.key, entry.size, entry.name, entry.is_dir(), entry.is_file(entry.uri)) == (
        "dir/a",
        10,
        "a",
        False,
        True,
    )
    assert entry.modified_at.tzinfo is not None
    assert await content(buckets, bucket, "dir/a", 7) == b"789"
    await buckets.put_blob(bucket.id, "dir/a", b"again")
    assert await content(buckets, bucket, "dir/a") == b"again"
    with pytest.raises(errors.RangeNotSatisfiable):
        await content(buckets, bucket, "dir/a", 6)
    await buckets.delete_blob(bucket.id, "dir/a")
    await buckets.delete_blob(bucket.id, "dir/a")
    for call in (
        buckets.head_blob(bucket.id, "dir/a"),
        content(buckets, bucket, "dir/a"),
        content(buckets, bucket, ""),
    ):
        with pytest.raises(errors.LakehouseError):
            await call


@pytest.mark.parametrize("sizes", [[], [0], [3, 4], [parts.PART], [parts.PART + 1], [MIB] * 20, [3 * MIB + 1] * 7])
async def test_bodies_that_come_in_pieces(buckets, bucket, sizes) -> None:
    made = [os.urandom(size) for size in sizes]

    async def pieces():
        for piece in made:
            yield piece

    await buckets.put_blob(bucket.id, "blob", pieces())
    assert await content(buckets, bucket, "blob") == b"".join(made)


async def test_a_body_that_fails_leaves_nothing(buckets, bucket) -> None:
    async def pieces():
        for _ in range(20):
            yield bytes(MIB)
        raise KeyError("the source broke")

    with pytest.raises(KeyError):
        await buckets.put_blob(bucket.id, "blob", pieces())
    assert await keys(buckets, bucket.uri) == []
    await buckets.rm(bucket.id)


async def test_odd_keys(buckets, bucket) -> None:
    odd = ["a b+c", "ü/é", "q?x=1&y#z", "%41 %", "//twice//", "../up", "a:b*c'(d)!~", '"quoted"\\<>', " lead", "\t"]
    await put_all(buckets, bucket, *odd)
    for key in odd:
        assert await content(buckets, bucket, key) == key.encode()
    entries = await all_of(buckets.list_blobs(bucket.uri, recursive=True))
    assert [entry.key for entry in entries] == sorted(odd, key=str.encode)
    for entry in entries:
        if ".." not in entry.key:
            assert [one.key for one in await all_of(buckets.list_blobs(entry.uri, recursive=True))] == [entry.key]
    await buckets.blob_rm(bucket.uri, recursive=True)
    assert await keys(buckets, bucket.uri, recursive=True) == []


async def test_lists(buckets, bucket) -> None:
    await put_all(buckets, bucket, "a", "dir/1", "dir/sub/2", "dirx", "z/3")
    uri = bucket.uri
    assert await keys(buckets, uri) == ["dir/", "z/", "a", "dirx"]
    assert await keys(buckets, uri, recursive=True) == ["a", "dir/1", "dir/sub/2", "dirx", "z/3"]
    assert await keys(buckets, uri / "dir") == ["dir/", "dirx"]
    assert await keys(buckets, uri / "dir/") == ["dir/sub/", "dir/1"]
    assert await keys(buckets, uri, limit=3) == ["dir/", "z/", "a"]
    assert await keys(buckets, uri, limit=None) == ["dir/", "z/", "a", "dirx"]
    assert await keys(buckets, uri, recursive=True, limit=2) == ["a", "dir/1"]
    for same in (f"blob:{bucket.name}/dir/", f"blob:{bucket.id}/dir/", f"blob:/admin/{bucket.name}/dir/",
                 f"blob://lakehouse/admin/{bucket.name}/dir/"):  # fmt: skip
        assert await keys(buckets, URL(same)) == ["dir/sub/", "dir/1"]
    first, *_, last = await all_of(buckets.list_blobs(uri))
    assert isinstance(first, BlobCommonPrefix)
    assert (first.is_dir(), first.is_file(), first.size, first.name, first.uri) == (True, False, 0, "dir", uri / "dir/")
    assert (last.is_dir(), last.name, last.created_at) == (False, "dirx", None)
    with pytest.raises(ResourceNotFound):
        await keys(buckets, URL("blob:absent/a"))
    with pytest.raises(ValueError, match="blob:"):
        await keys(buckets, URL("s3://x/y"))


async def test_long_lists_and_usage(buckets, bucket) -> None:
    assert await all_of(buckets.get_disk_usage(bucket.name)) == []
    store = buckets._store(bucket)
    names = [f"n/{number:04}" for number in range(1050)]
    for start in range(0, len(names), 50):
        await asyncio.gather(*(store.put(name, b"ab") for name in names[start : start + 50]))
    assert await keys(buckets, bucket.uri, recursive=True) == names
    usage = await all_of(buckets.get_disk_usage(bucket.name))
    assert [(one.total_bytes, one.object_count) for one in usage] == [(2 * n, n) for n in range(1, 1051)]
    told = Told()
    await buckets.blob_rm(bucket.uri / "n", recursive=True, progress=told)
    assert [data.uri.name for data in told.of("delete")] == [*(name[2:] for name in names), ""]
    assert [data.is_dir for data in told.of("delete")] == [False] * 1050 + [True]
    assert await keys(buckets, bucket.uri) == []


async def test_globs(buckets, bucket) -> None:
    await put_all(buckets, bucket, "a.txt", "b.bin", "d1/a.txt", "d1/s/a.txt", "d2/c.txt", "[x]")

    async def found(pattern: str) -> list[str]:
        return [entry.key for entry in await all_of(buckets.glob_blobs(URL(f"blob:{bucket.name}/{pattern}")))]

    assert await found("*.txt") == ["a.txt"]
    assert await found("*/*.txt") == ["d1/a.txt", "d2/c.txt"]
    assert await found("d1/**") == ["d1/a.txt", "d1/s/a.txt"]
    assert await found("**/a.txt") == ["a.txt", "d1/a.txt", "d1/s/a.txt"]
    assert await found("**/s/*") == ["d1/s/a.txt"]
    assert await found("d[!1]/*") == ["d2/c.txt"]
    assert await found("%3F.bin") == ["b.bin"]
    assert await found("[[]x]") == ["[x]"]
    assert await found("d*") == ["d1/", "d2/"]
    assert await found("none*") == []
    assert len(await found("**")) == 6


# -- files -------------------------------------------------------------------------------------------------------------


async def test_files(buckets, bucket, tmp_path) -> None:
    filled(tmp_path, {"a": b"one", "big": os.urandom(parts.PART * 2 + 7), "none": b""})
    told = Told()
    for name in ("a", "big", "none"):
        await buckets.upload_file(local(tmp_path / name), bucket.uri / f"to/{name}", progress=told)
        await buckets.download_file(bucket.uri / f"to/{name}", local(tmp_path / f"{name}.back"), progress=told)
        assert (tmp_path / name).read_bytes() == (tmp_path / f"{name}.back").read_bytes()
    assert [data.size for data in told.of("start")] == [3, 3, parts.PART * 2 + 7, parts.PART * 2 + 7, 0, 0]
    assert len(told.of("complete")) == 6
    steps = [data.current for data in told.of("step") if data.src.path.endswith("/big")]
    assert len(steps) > 3
    assert steps.count(parts.PART * 2 + 7) == 2
    with pytest.raises(FileNotFoundError):
        await buckets.upload_file(local(tmp_path / "absent"), bucket.uri / "x")
    with pytest.raises(FileNotFoundError):
        await buckets.download_file(bucket.uri / "absent", local(tmp_path / "x"))
    assert not (tmp_path / "x").exists()
    for source, target in ((tmp_path, "x"), (tmp_path / "a", "to"), (tmp_path / "a", "to/"), (tmp_path / "a", "")):
        with pytest.raises(IsADirectoryError):
            await buckets.upload_file(local(source), bucket.uri / target if target else bucket.uri)
    for source, target in (("to", tmp_path / "x"), ("to/a", tmp_path)):
        with pytest.raises(IsADirectoryError):
            await buckets.download_file(bucket.uri / source, local(target))
    with pytest.raises(ValueError, match="file:"):
        await buckets.upload_file(URL("http://x/y"), bucket.uri / "x")


async def test_update_and_continue(buckets, bucket, tmp_path) -> None:
    whole = os.urandom(100_000)
    filled(tmp_path, {"a": whole})
    uri = bucket.uri / "a"
    await buckets.upload_file(local(tmp_path / "a"), uri)
    (tmp_path / "a").write_bytes(b"two")
    os.utime(tmp_path / "a", (1, 1))
    await buckets.upload_file(local(tmp_path / "a"), uri, update=True)
    assert await content(buckets, bucket, "a") == whole
    await buckets.upload_file(local(tmp_path / "a"), bucket.uri / "other", update=True)
    assert await content(buckets, bucket, "other") == b"two"
    late = time.time() + 3600
    os.utime(tmp_path / "a", (late, late))
    await buckets.download_file(uri, local(tmp_path / "a"), update=True)
    assert (tmp_path / "a").read_bytes() == b"two"
    for there, told_size in ((whole[:70_000], 30_000), (whole, 0), (b"x" * 100_001, 100_000), (b"", 100_000)):
        (tmp_path / "a").write_bytes(there)
        os.utime(tmp_path / "a", (late, late))
        told = Told()
        await buckets.download_file(uri, local(tmp_path / "a"), continue_=True, progress=told)
        assert (tmp_path / "a").read_bytes() == whole
        assert [data.current - len(there) % 100_001 for data in told.of("step")] == ([told_size] if told_size else [])
    (tmp_path / "a").write_bytes(whole[:10])
    os.utime(tmp_path / "a", (1, 1))
    await buckets.download_file(uri, local(tmp_path / "a"), continue_=True)
    assert (tmp_path / "a").read_bytes() == whole


TREE = {"a": b"1", "s/b": b"22", "s/t/c": b"333", "skip/d": b"4", "skip/s/e": b"5", "log.tmp": b"6", "ü %/#?": b"7"}


async def test_folders(buckets, bucket, tmp_path) -> None:
    source = filled(tmp_path / "src", TREE)
    (source / "s" / "empty").mkdir()
    os.mkfifo(source / "pipe")
    (source / "nowhere").symlink_to("absent")
    told = Told()
    asked = []

    async def keep(path: str) -> bool:
        asked.append(path)
        return not path.startswith("skip/")

    await buckets.upload_dir(local(source), bucket.uri / "to", filter=keep, progress=told)
    assert await keys(buckets, bucket.uri, recursive=True) == [
        "to/", "to/a", "to/log.tmp", "to/s/", "to/s/b", "to/s/empty/", "to/s/t/", "to/s/t/c", "to/ü %/", "to/ü %/#?",
    ]  # fmt: skip
    assert "skip/" in asked
    assert not any(path.startswith("skip/") and path != "skip/" for path in asked)
    assert sorted(data.src.name for data in told.of("fail")) == ["nowhere", "pipe"]
    entered, left = told.of("enter"), told.of("leave")
    assert {data.src for data in entered} == {data.src for data in left}
    assert len(entered) == len(left) == 5
    assert (told.calls[0][0], told.calls[-1]) == ("enter", ("leave", left[-1]))
    assert left[-1].src == entered[0].src
    done = {data.src: at for at, (name, data) in enumerate(told.calls) if name == "complete"}
    gone = {data.src: at for at, (name, data) in enumerate(told.calls) if name == "leave"}
    assert all(at < gone[uri.parent] for uri, at in done.items())

    back = tmp_path / "back"
    await buckets.download_dir(bucket.uri / "to", local(back))
    assert {path.relative_to(back).as_posix(): path.read_bytes() for path in back.rglob("*") if path.is_file()} == {
        name: body for name, body in TREE.items() if not name.startswith("skip")
    }
    assert (back / "s" / "empty").is_dir()

    async def only_s(path: str) -> bool:
        return path.startswith("s/") and not path.endswith("c")

    told = Told()
    await buckets.download_dir(bucket.uri / "to/", local(tmp_path / "part"), filter=only_s, progress=told)
    assert sorted(path.name for path in (tmp_path / "part").rglob("*")) == ["b", "empty", "s", "t"]
    assert len(told.of("complete")) == 1
    assert len(told.of("enter")) == len(told.of("leave")) == 4
    with pytest.raises(FileNotFoundError):
        await buckets.upload_dir(local(tmp_path / "absent"), bucket.uri)
    with pytest.raises(NotADirectoryError):
        await buckets.upload_dir(local(source / "a"), bucket.uri / "x")
    with pytest.raises(NotADirectoryError):
        await buckets.upload_dir(local(source), bucket.uri / "to/a")
    with pytest.raises(FileNotFoundError):
        await buckets.download_dir(bucket.uri / "absent", local(tmp_path / "x"))
    for uri, target in ((bucket.uri / "to/a", tmp_path / "x"), (bucket.uri / "to", source / "a")):
        with pytest.raises(NotADirectoryError):
            await buckets.download_dir(uri, local(target))


async def test_a_whole_bucket_and_ignore_files(buckets, bucket, tmp_path) -> None:
    source = filled(
        tmp_path / "src", {**TREE, ".ignore": b"*.tmp\n!keep.tmp\nskip/\n", "keep.tmp": b"k", "s/.ignore": b"t/\n"}
    )
    (tmp_path / ".ignore").write_text("src/a\n")
    await buckets.upload_dir(local(source), bucket.uri, ignore_file_names=frozenset({".ignore"}))
    assert await keys(buckets, bucket.uri, recursive=True) == [
        ".ignore", "keep.tmp", "s/", "s/.ignore", "s/b", "ü %/", "ü %/#?",
    ]  # fmt: skip


async def test_update_of_folders(buckets, bucket, tmp_path) -> None:
    source = filled(tmp_path / "src", {"old": b"1", "new": b"2", "d/old": b"3"})
    await buckets.upload_dir(local(source), bucket.uri / "to")
    for name in ("old", "d/old"):
        (source / name).write_bytes(b"changed")
        os.utime(source / name, (1, 1))
    late = time.time() + 3600
    (source / "new").write_bytes(b"changed")
    os.utime(source / "new", (late, late))
    filled(source, {"more": b"4", "e/f": b"5"})
    told = Told()
    await buckets.upload_dir(local(source), bucket.uri / "to", update=True, progress=told)
    assert sorted(data.src.name for data in told.of("complete")) == ["f", "more", "new"]
    told = Told()
    await buckets.download_dir(bucket.uri / "to", local(source), update=True, progress=told)
    assert sorted(data.src.path.partition("/to/")[2] for data in told.of("complete")) == [
        "d/old", "e/f", "more", "old",
    ]  # fmt: skip
    (source / "new").write_bytes(b"chan")
    os.utime(source / "new", (late, late))
    told = Told()
    await buckets.download_dir(bucket.uri / "to", local(source), continue_=True, progress=told)
    assert (source / "new").read_bytes() == b"changed"


async def test_names_that_lead_out_are_left_out(buckets, bucket, tmp_path) -> None:
    await put_all(buckets, bucket, "d/../../up", "d//twice", "d/./x", "d/ok")
    told = Told()
    await buckets.download_dir(bucket.uri / "d", local(tmp_path / "in" / "d"), progress=told)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == ["in/d/ok"]
    assert len(told.of("fail")) == 3


async def test_the_first_error_ends_a_transfer(buckets, bucket, tmp_path) -> None:
    source = filled(tmp_path / "src", {f"{number:03}": b"x" for number in range(100)})
    (source / "050").chmod(0)
    if os.access(source / "050", os.R_OK):
        (source / "050").unlink()
        (source / "050").mkdir()
        await buckets.put_blob(bucket.id, "to/050", b"a blob where a folder should be")
    with pytest.raises((PermissionError, NotADirectoryError)):
        await buckets.upload_dir(local(source), bucket.uri / "to")


async def test_removal(buckets, bucket) -> None:
    await put_all(buckets, bucket, "a", "d/1", "d/s/2", "dx", "both", "both/x")
    await buckets.put_blob(bucket.id, "d/s/", b"")
    where = [await buckets.blob_is_dir(bucket.uri / name) for name in ("d", "d/", "a", "absent", "absent/", "both")]
    assert where == [True, True, False, False, True, True]
    assert await buckets.blob_is_dir(bucket.uri)
    with pytest.raises(FileNotFoundError):
        await buckets.blob_rm(bucket.uri / "absent")
    for folder in (bucket.uri / "d", bucket.uri / "d/", bucket.uri):
        with pytest.raises(IsADirectoryError):
            await buckets.blob_rm(folder)
    told = Told()
    await buckets.blob_rm(bucket.uri / "d", recursive=True, progress=told)
    assert [(data.uri.path.partition("/d/")[2], data.is_dir) for data in told.of("delete")] == [
        ("1", False), ("s/2", False), ("s/", True), ("", True),
    ]  # fmt: skip
    await buckets.blob_rm(bucket.uri / "a", recursive=True)
    assert await keys(buckets, bucket.uri, recursive=True) == ["both", "both/x", "dx"]


# -- under load, and cut off -------------------------------------------------------------------------------------------


async def test_memory_does_not_grow_with_size_or_number(buckets, bucket, tmp_path) -> None:
    """Many files, and one large file, in the memory of a few parts. LAKEHOUSE_TEST_MIB is the size of the large one,
    LAKEHOUSE_TEST_FILES the number of the others.
    """
    size, number = (
        int(os.environ.get("LAKEHOUSE_TEST_MIB", "64")) * MIB,
        int(os.environ.get("LAKEHOUSE_TEST_FILES", "200")),
    )
    source = filled(tmp_path / "src", {f"{at % 10}/{at:05}": b"x" * 64 for at in range(number)})
    with (source / "big").open("wb") as file:
        file.truncate(size)
    await buckets.upload_dir(local(source / "0"), bucket.uri / "warm")
    tracemalloc.start()
    await buckets.upload_dir(local(source), bucket.uri / "to")
    await buckets.download_dir(bucket.uri / "to", local(tmp_path / "back"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "back" / "big").stat().st_size == size
    assert sum(1 for path in (tmp_path / "back").rglob("*") if stat.S_ISREG(path.stat().st_mode)) == number + 1
    assert peak < (parts.AT_ONCE + 3) * parts.PART


async def test_credentials_that_end_are_renewed(buckets, bucket, monkeypatch) -> None:
    store = buckets._store(bucket)
    await store.put("a", b"1")
    minted = []
    real = store._mint

    async def mint():
        minted.append(1)
        return await real()

    monkeypatch.setattr(store, "_mint", mint)
    await store.put("a", b"2")
    assert minted == []
    store._until = time.time() - 1
    await asyncio.gather(*(store.put("a", b"3") for _ in range(5)))
    assert minted == [1]
    foreign = await buckets.request_tmp_credentials((await buckets.create(None)).id)
    store._held = {**store._held, **{name: foreign.credentials[name] for name in ("secret_access_key",)}}
    with pytest.raises(errors.InsufficientPermissions):
        await store.put("a", b"4")


async def test_the_store_is_asked_again(server, bucket) -> None:
    """What fails for a moment does not fail; what fails for good says so."""
    answers = []

    class Flaky(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            if request.extensions.get("target", b"").startswith(b"/s3/") and answers:
                status = answers.pop(0)
                if status == 0:
                    raise httpx2.ReadError("gone")
                return httpx2.Response(status, request=request)
            return await super().handle_async_request(request)

    retry = msgspec.structs.replace(Retry(), attempts=3, base=0.0)
    pair = {"access_key_id": server.key, "secret_access_key": server.secret}
    async with BucketsClient(server.url, **pair, retry=retry, transport=Flaky()) as client:
        for answers[:] in ([503], [500, 0], [0, 502]):
            await client.buckets.put_blob(bucket.id, "a", b"x")
            assert await content(client.buckets, bucket, "a") == b"x"
        for answers[:] in ([503] * 3, [0] * 3):
            with pytest.raises(errors.Unavailable):
                await client.buckets.put_blob(bucket.id, "a", b"x")


async def test_what_may_have_been_done_is_not_asked_for_again(server) -> None:
    """A broken connection: credentials are asked for again, a bucket is not."""
    broken = []
    asked = []

    class Flaky(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            asked.append((request.method, request.url.path.rpartition("/")[2]))
            if broken and asked[-1][1] == broken[0]:
                broken.pop()
                raise httpx2.ReadError("gone")
            return await super().handle_async_request(request)

    pair = {"access_key_id": server.key, "secret_access_key": server.secret}
    retry = msgspec.structs.replace(Retry(), base=0.0)
    async with BucketsClient(server.url, **pair, retry=retry, transport=Flaky()) as client:
        bucket = await client.buckets.create(next(_names))
        for broken[:] in (["make_tmp_credentials"], ["config"]):
            await client.buckets.request_tmp_credentials(bucket.id)
        assert asked.count(("POST", "make_tmp_credentials")) == 3
        broken[:] = ["buckets"]
        with pytest.raises(errors.Unavailable):
            await client.buckets.create(next(_names))
        assert asked.count(("POST", "buckets")) == 2
