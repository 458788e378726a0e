# SPDX-License-Identifier: Apache-2.0
"""Buckets by the published clients of the neuro platform, every method: the same checks for each generation of them.

Older clients name a bucket's owner, newer ones organization and project; all of them mean the same bucket.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import tempfile
import urllib.error
import urllib.request
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from urllib.parse import quote

import checks
from checks import ENDPOINT, KEY, SECRET, equal, fails, http
from yarl import URL

try:
    import neuro_sdk as sdk
except ImportError:
    import apolo_sdk as sdk

PLATFORM = f"{ENDPOINT}/neuro/api/v1"
MIB = 2**20


def token() -> str:
    status, _, body = http("POST", "/auth/login", body={"access_key_id": KEY, "secret_access_key": SECRET})
    equal(status, 200)
    return json.loads(body)["token"]


@asynccontextmanager
async def platform():
    with tempfile.TemporaryDirectory() as folder:
        factory = sdk.Factory(path=Path(folder) / "c")
        await factory.login_with_token(token(), url=URL(PLATFORM))
        client = await factory.get()
        try:
            yield client
        finally:
            await client.close()


def checked(work):
    """A check is an asynchronous function of the client, its buckets, and a new bucket with a folder beside it."""

    @wraps(work)
    def check() -> None:
        async def run() -> None:
            async with platform() as client:
                bucket = await client.buckets.create(fresh())
                with tempfile.TemporaryDirectory() as folder:
                    await work(client.buckets, bucket, Path(folder))

        asyncio.run(run())

    del check.__wrapped__
    return check


def fresh() -> str:
    return checks.fresh("b")


def local(path: Path) -> URL:
    return URL(path.as_uri())


def filled(folder: Path, **files: bytes) -> Path:
    """Files by name, with `__` for a slash and `_DOT_` for a dot."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


async def everything(listing) -> list:
    async with listing as found:
        return [one async for one in found]


async def keys(buckets, uri, **options) -> list[str]:
    return [entry.key for entry in await everything(buckets.list_blobs(uri, **options))]


async def content(buckets, bucket, key: str, offset: int = 0) -> bytes:
    return b"".join(await everything(buckets.fetch_blob(bucket.id, key, offset)))


async def put_all(bucket, *names: str) -> None:
    """Blobs that hold their own names, by REST: each call of a client costs it half a second of reading S3's models."""
    for name in names:
        path = f"/repositories/{bucket.name}/branches/main/objects?path={quote(name)}"
        status, _, _ = await asyncio.to_thread(http, "POST", path, data=name.encode())
        equal(status, 201)


class Told:
    """All kinds of progress, written down."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def of(self, kind: str) -> list:
        return [data for name, data in self.calls if name == kind]


def recorder(base: type, names: tuple[str, ...]):
    told = Told()

    def method(name: str):
        return lambda self, data: told.calls.append((name, data))

    return type("Recorder", (base,), {name: method(name) for name in names})(), told


def file_progress():
    return recorder(sdk.AbstractFileProgress, ("start", "step", "complete"))


def dir_progress():
    return recorder(sdk.AbstractRecursiveFileProgress, ("start", "step", "complete", "enter", "leave", "fail"))


def rm_progress():
    return recorder(sdk.AbstractDeleteProgress, ("delete",))


# -- login -------------------------------------------------------------------------------------------------------------


def check_login() -> None:
    async def run() -> None:
        async with platform() as client:
            equal((client.username, client.config.cluster_name), ("admin", "lakehouse"))
        with tempfile.TemporaryDirectory() as folder:
            factory = sdk.Factory(path=Path(folder) / "c")
            with fails(RuntimeError, says="401"):
                await factory.login_with_token(token()[:-4] + "AAAA", url=URL(PLATFORM))
        passed = {"token": token(), "cluster": "lakehouse", "url": PLATFORM, "org_name": "lakehouse"}
        text = base64.b64encode(json.dumps(passed).encode()).decode()
        with tempfile.TemporaryDirectory() as folder:
            factory = sdk.Factory(path=Path(folder) / "c")
            await factory.login_with_passed_config(text)
            client = await factory.get()
            await everything(client.buckets.list())
            await client.close()

    asyncio.run(run())


# -- buckets -----------------------------------------------------------------------------------------------------------


@checked
async def check_buckets(buckets, bucket, folder) -> None:
    equal((bucket.owner, bucket.org_name, bucket.cluster_name), ("admin", "lakehouse", "lakehouse"))
    equal((bucket.provider, bucket.imported, bucket.public), (sdk.Bucket.Provider.MINIO, False, False))
    equal(bucket.uri, URL(f"blob://lakehouse/lakehouse/admin/{bucket.name}"))
    assert bucket.created_at.tzinfo is not None
    equal(await buckets.get(bucket.name), bucket)
    equal(await buckets.get(bucket.id), bucket)
    assert bucket in await everything(buckets.list())
    with fails(sdk.IllegalArgumentError, says="already"):
        await buckets.create(bucket.name)
    for name in ("ab", "a" * 41, "1abc", "A.b"):
        with fails(sdk.IllegalArgumentError, says="name"):
            await buckets.create(name)
    for name in (fresh()[:3], "long-" + "x" * 35, fresh() + "_u"):
        other = await buckets.create(name)
        equal(other.name, name)
        await buckets.rm(other.id)
    nameless = await buckets.create(None)
    equal(nameless.name, None)
    await buckets.put_blob(nameless.id, "a", b"x")
    equal(await keys(buckets, nameless.uri), ["a"])
    await buckets.rm(bucket.name)
    for call in (buckets.get, buckets.rm, buckets.request_tmp_credentials):
        with fails(sdk.ResourceNotFound):
            await call(bucket.name)
    again = await buckets.create(bucket.name)
    assert again.id != bucket.id


@checked
async def check_a_bucket_that_is_not_empty(buckets, bucket, folder) -> None:
    await put_all(bucket, "a")
    with fails(sdk.IllegalArgumentError, says="not empty"):
        await buckets.rm(bucket.id)
    equal(await content(buckets, bucket, "a"), b"a")
    await buckets.delete_blob(bucket.id, "a")
    await buckets.rm(bucket.id)


@checked
async def check_imported(buckets, bucket, folder) -> None:
    """Through the imported bucket, to a bucket of this very server, with lasting keys."""
    lasting = await buckets.persistent_credentials_create([bucket.id], name=None)
    given = dict(lasting.credentials[0].credentials)
    place = given.pop("bucket_name")
    made = await buckets.import_external(sdk.Bucket.Provider.AWS, place, given, name=fresh())
    equal((made.imported, made.provider), (True, sdk.Bucket.Provider.AWS))
    await buckets.put_blob(made.id, "a/b", b"there")
    equal(await content(buckets, bucket, "a/b"), b"there")
    equal(await keys(buckets, made.uri, recursive=True), ["a/b"])
    url = await buckets.make_signed_url(made.uri / "a/b")
    equal(urllib.request.urlopen(str(url)).read(), b"there")
    for provider in (sdk.Bucket.Provider.MINIO, sdk.Bucket.Provider.AZURE):
        other = await buckets.import_external(provider, "x", {"storage_endpoint": "http://x"}, name=fresh())
        equal((await buckets.get(other.name)).provider, provider)
        await buckets.rm(other.id)
    with fails(sdk.IllegalArgumentError):
        await buckets.persistent_credentials_create([made.id], name=None)
    await buckets.rm(made.name)
    equal(await content(buckets, bucket, "a/b"), b"there")


# -- blobs -------------------------------------------------------------------------------------------------------------


@checked
async def check_blobs(buckets, bucket, folder) -> None:
    await buckets.put_blob(bucket.id, "dir/a", b"0123456789")
    entry = await buckets.head_blob(bucket.name, "dir/a")
    equal((entry.key, entry.size, entry.name, entry.is_file()), ("dir/a", 10, "a", True))
    assert entry.modified_at is not None
    equal(await content(buckets, bucket, "dir/a"), b"0123456789")
    equal(await content(buckets, bucket, "dir/a", 7), b"789")
    await buckets.put_blob(bucket.id, "dir/a", b"again")
    equal(await content(buckets, bucket, "dir/a"), b"again")

    async def pieces():
        for number in range(30):
            yield bytes([number]) * MIB

    await buckets.put_blob(bucket.id, "big", pieces())
    found = await content(buckets, bucket, "big")
    assert found == b"".join(bytes([number]) * MIB for number in range(30))
    equal(await content(buckets, bucket, "big", 30 * MIB - 2), bytes([29, 29]))

    async def nothing():
        for piece in ():
            yield piece

    await buckets.put_blob(bucket.id, "none", nothing())
    equal(await content(buckets, bucket, "none"), b"")
    await buckets.delete_blob(bucket.id, "dir/a")
    await buckets.delete_blob(bucket.id, "dir/a")
    with fails(sdk.ResourceNotFound):
        await buckets.head_blob(bucket.id, "dir/a")
    with fails(sdk.ResourceNotFound):
        await buckets.put_blob("absent", "a", b"x")


@checked
async def check_odd_keys(buckets, bucket, folder) -> None:
    odd = ["a b+c/ü/q?x=1&y#z", "%41 %//twice//", "../up/a:b*c'(d)!~", '"quoted"\\ trailing \t ']
    for key in odd:
        await buckets.put_blob(bucket.id, key, key.encode())
    for key in odd:
        equal(await content(buckets, bucket, key), key.encode())
    equal((await buckets.head_blob(bucket.id, odd[0])).size, len(odd[0].encode()))
    equal(await keys(buckets, bucket.uri, recursive=True), sorted(odd, key=lambda key: key.encode()))
    for key in odd:
        await buckets.delete_blob(bucket.id, key)
    equal(await keys(buckets, bucket.uri, recursive=True), [])


@checked
async def check_lists(buckets, bucket, folder) -> None:
    await put_all(bucket, "a", "dir/1", "dir/sub/2", "dirx", "z/3")
    uri = bucket.uri
    equal(await keys(buckets, uri), ["dir/", "z/", "a", "dirx"])
    equal(await keys(buckets, uri, recursive=True), ["a", "dir/1", "dir/sub/2", "dirx", "z/3"])
    equal(await keys(buckets, uri / "dir"), ["dir/", "dirx"])
    equal(await keys(buckets, uri / "dir/"), ["dir/sub/", "dir/1"])
    equal(await keys(buckets, uri, limit=3), ["dir/", "z/", "a"])
    equal(await keys(buckets, uri, recursive=True, limit=2), ["a", "dir/1"])
    equal(await keys(buckets, URL(f"blob:{bucket.name}/dir/")), ["dir/sub/", "dir/1"])
    equal(await keys(buckets, URL(f"blob:/admin/{bucket.id}/z/")), ["z/3"])
    first, *_ = await everything(buckets.list_blobs(uri))
    equal((type(first).__name__, first.is_dir(), first.size), ("BlobCommonPrefix", True, 0))
    with fails(sdk.ResourceNotFound):
        await keys(buckets, URL("blob:absent/a"))


@checked
async def check_long_lists(buckets, bucket, folder) -> None:
    """More than one page."""
    names = [f"n{number:04}" for number in range(1100)]
    await asyncio.gather(*(put_all(bucket, *names[start::20]) for start in range(20)))
    equal(await keys(buckets, bucket.uri), names)
    usage = await everything(buckets.get_disk_usage(bucket.id))
    equal((usage[-1].total_bytes, usage[-1].object_count, len(usage)), (5500, 1100, 1100))


@checked
async def check_globs(buckets, bucket, folder) -> None:
    await put_all(bucket, "a.txt", "b.bin", "d1/a.txt", "d1/s/a.txt", "d2/c.txt")

    async def found(pattern: str) -> list[str]:
        uri = URL(f"blob:{bucket.name}/{pattern}")
        return sorted(entry.key for entry in await everything(buckets.glob_blobs(uri)))

    equal(await found("*.txt"), ["a.txt"])
    equal(await found("*/*.txt"), ["d1/a.txt", "d2/c.txt"])
    equal(await found("d1/**"), ["d1/a.txt", "d1/s/a.txt"])
    equal(await found("**/a.txt"), ["a.txt", "d1/a.txt", "d1/s/a.txt"])
    equal(await found("d*/a.*"), ["d1/a.txt"])
    equal(await found("none*"), [])


@checked
async def check_usage(buckets, bucket, folder) -> None:
    equal(await everything(buckets.get_disk_usage(bucket.name)), [])
    await put_all(bucket, "a", "bb", "d/ccc")
    found = await everything(buckets.get_disk_usage(bucket.name))
    equal([(each.total_bytes, each.object_count) for each in found], [(1, 1), (3, 2), (8, 3)])


# -- files -------------------------------------------------------------------------------------------------------------


@checked
async def check_files(buckets, bucket, folder) -> None:
    filled(folder, a=b"one", big=os.urandom(25 * MIB), none=b"")
    progress, told = file_progress()
    for name in ("a", "big", "none"):
        await buckets.upload_file(local(folder / name), bucket.uri / f"to/{name}", progress=progress)
        await buckets.download_file(bucket.uri / f"to/{name}", local(folder / f"{name}.back"))
        assert (folder / name).read_bytes() == (folder / f"{name}.back").read_bytes(), name
    equal([data.size for data in told.of("start")], [3, 25 * MIB, 0])
    equal(len(told.of("complete")), 3)
    os.utime(folder / "a", (1, 1))
    (folder / "a").write_bytes(b"two")
    os.utime(folder / "a", (1, 1))
    await buckets.upload_file(local(folder / "a"), bucket.uri / "to/a", update=True)
    equal(await content(buckets, bucket, "to/a"), b"one")
    await buckets.upload_file(local(folder / "a"), bucket.uri / "to/fresh", update=True)
    equal(await content(buckets, bucket, "to/fresh"), b"two")
    whole = (folder / "big").read_bytes()
    part = folder / "part"
    part.write_bytes(whole[: 10 * MIB])
    os.utime(part, (4e9, 4e9))
    await buckets.download_file(bucket.uri / "to/big", local(part), continue_=True)
    assert part.read_bytes() == whole
    with fails(FileNotFoundError):
        await buckets.upload_file(local(folder / "absent"), bucket.uri / "x")
    with fails(FileNotFoundError):
        await buckets.download_file(bucket.uri / "absent", local(folder / "x"))
    with fails(IsADirectoryError):
        await buckets.upload_file(local(folder), bucket.uri / "x")
    with fails(IsADirectoryError):
        await buckets.upload_file(local(folder / "a"), bucket.uri / "to")
    with fails(IsADirectoryError):
        await buckets.download_file(bucket.uri / "to", local(folder / "x"))


@checked
async def check_folders(buckets, bucket, folder) -> None:
    source = filled(folder / "src", a=b"1", s__b=b"22", s__t__c=b"333", skip__d=b"4", log_DOT_tmp=b"5")
    (source / "s" / "empty").mkdir()
    progress, told = dir_progress()

    async def keep(path: str) -> bool:
        return not path.startswith("skip/")

    await buckets.upload_dir(local(source), bucket.uri / "to", filter=keep, progress=progress)
    equal(
        await keys(buckets, bucket.uri, recursive=True),
        ["to/", "to/a", "to/log.tmp", "to/s/", "to/s/b", "to/s/empty/", "to/s/t/", "to/s/t/c"],
    )
    equal(len(told.of("enter")), len(told.of("leave")))
    equal(len(told.of("complete")), 4)
    back = folder / "back"
    await buckets.download_dir(bucket.uri / "to", local(back))
    equal((back / "s" / "t" / "c").read_bytes(), b"333")
    assert (back / "s" / "empty").is_dir()
    (source / "a").write_bytes(b"newer")
    os.utime(source / "a", (4e9, 4e9))
    (source / "s" / "b").write_bytes(b"older")
    os.utime(source / "s" / "b", (1, 1))
    await buckets.upload_dir(local(source), bucket.uri / "to", update=True)
    equal(await content(buckets, bucket, "to/a"), b"newer")
    equal(await content(buckets, bucket, "to/s/b"), b"22")
    filled(source, _DOT_ignore=b"*.tmp\n!keep.tmp\nskip/\n", keep_DOT_tmp=b"k")
    await buckets.upload_dir(local(source), bucket.uri / "two", ignore_file_names=frozenset({".ignore"}))
    equal(
        [key for key in await keys(buckets, bucket.uri / "two", recursive=True) if not key.endswith("/")],
        ["two/.ignore", "two/a", "two/keep.tmp", "two/s/b", "two/s/t/c"],
    )
    await buckets.download_dir(bucket.uri / "to", local(back))
    await buckets.download_dir(bucket.uri / "to", local(back), update=True)
    await buckets.download_dir(bucket.uri / "to", local(back), continue_=True)
    with fails(FileNotFoundError):
        await buckets.upload_dir(local(folder / "absent"), bucket.uri)
    with fails(NotADirectoryError):
        await buckets.upload_dir(local(source / "a"), bucket.uri / "x")
    with fails(FileNotFoundError):
        await buckets.download_dir(bucket.uri / "absent", local(folder / "x"))


@checked
async def check_removal(buckets, bucket, folder) -> None:
    await put_all(bucket, "a", "d/1", "d/s/2", "dx")
    equal(
        [await buckets.blob_is_dir(bucket.uri / name) for name in ("d", "d/", "a", "absent")],
        [True, True, False, False],
    )
    with fails(FileNotFoundError):
        await buckets.blob_rm(bucket.uri / "absent")
    with fails(IsADirectoryError):
        await buckets.blob_rm(bucket.uri / "d")
    progress, told = rm_progress()
    await buckets.blob_rm(bucket.uri / "d", recursive=True, progress=progress)
    equal(sorted(data.uri.name for data in told.of("delete") if not data.is_dir), ["1", "2"])
    await buckets.blob_rm(bucket.uri / "a")
    equal(await keys(buckets, bucket.uri, recursive=True), ["dx"])


# -- credentials -------------------------------------------------------------------------------------------------------


@checked
async def check_signed_urls(buckets, bucket, folder) -> None:
    await put_all(bucket, "dir/a-b")
    url = await buckets.make_signed_url(bucket.uri / "dir/a-b", 60)
    equal(urllib.request.urlopen(str(url)).read(), b"dir/a-b")
    absent = await buckets.make_signed_url(bucket.uri / "later")
    with fails(urllib.error.HTTPError, status=404):
        urllib.request.urlopen(str(absent))
    await put_all(bucket, "later")
    equal(urllib.request.urlopen(str(absent)).read(), b"later")
    for seconds in (0, 8 * 86_400):
        with fails(sdk.IllegalArgumentError):
            await buckets.make_signed_url(bucket.uri / "a", seconds)


@checked
async def check_public_access(buckets, bucket, folder) -> None:
    await put_all(bucket, "a")
    given = (await buckets.request_tmp_credentials(bucket.id)).credentials
    url = f"{given['endpoint_url']}/{given['bucket_name']}/a"
    with fails(urllib.error.HTTPError):
        urllib.request.urlopen(url)
    changed = await buckets.set_public_access(bucket.name, True)
    equal((changed.public, (await buckets.get(bucket.id)).public), (True, True))
    equal(urllib.request.urlopen(url).read(), b"a")
    equal((await buckets.set_public_access(bucket.id, False)).public, False)
    with fails(urllib.error.HTTPError):
        urllib.request.urlopen(url)


@checked
async def check_temporary_credentials(buckets, bucket, folder) -> None:
    found = await buckets.request_tmp_credentials(bucket.name)
    equal((found.bucket_id, found.provider), (bucket.id, sdk.Bucket.Provider.MINIO))
    assert {"access_key_id", "secret_access_key", "session_token", "expiration"} <= set(found.credentials)


@checked
async def check_persistent_credentials(buckets, bucket, folder) -> None:
    other = await buckets.create(fresh())
    name = fresh()
    made = await buckets.persistent_credentials_create([other.id, bucket.id], name=name, read_only=True)
    equal((made.name, made.owner, made.read_only), (name, "admin", True))
    equal([each.bucket_id for each in made.credentials], [other.id, bucket.id])
    equal(await buckets.persistent_credentials_get(name), made)
    equal(await buckets.persistent_credentials_get(made.id), made)
    assert made in await everything(buckets.persistent_credentials_list())
    with fails(sdk.IllegalArgumentError, says="already"):
        await buckets.persistent_credentials_create([bucket.id], name=name)
    with fails(sdk.ResourceNotFound):
        await buckets.persistent_credentials_create(["absent"], name=fresh())
    await buckets.rm(other.id)
    equal([each.bucket_id for each in (await buckets.persistent_credentials_get(name)).credentials], [bucket.id])
    await buckets.persistent_credentials_rm(name)
    with fails(sdk.ResourceNotFound):
        await buckets.persistent_credentials_get(name)


@checked
async def check_what_is_written_is_in_the_lake(buckets, bucket, folder) -> None:
    await put_all(bucket, "a/b")
    url = f"/repositories/{bucket.name}"
    status, _, body = http("GET", f"{url}/refs/main/objects/ls")
    equal([one["path"] for one in json.loads(body)["results"]], ["a/b"])
    status, _, _ = http("POST", f"{url}/branches/main/commits", body={"message": "m"})
    equal(status, 201)
    await buckets.put_blob(bucket.id, "a/b", b"changed")
    status, _, body = http("GET", f"{url}/branches/main/diff")
    equal([(one["type"], one["path"]) for one in json.loads(body)["results"]], [("changed", "a/b")])
