# SPDX-License-Identifier: Apache-2.0
"""Flyte's DataStore over a running server: its signatures, and what its methods do."""

from __future__ import annotations

import base64
import hashlib
import inspect
import io
import itertools
import threading
import time
from datetime import timedelta

import httpx2
import pytest

from lakehouse.core.errors import AlreadyExists, InvalidArgument, NotFound, RepositoryNotFound
from lakehouse.sdk import Client
from lakehouse.sdk.datastore import (
    AT_END,
    AT_START,
    BadContainer,
    BadReference,
    Canceled,
    Container,
    Context,
    DataStore,
    LimitExceeded,
    Location,
    LocationID,
    Metadata,
    Options,
    SignedURLProperties,
    URLScope,
    construct_reference,
    cursor_at,
    is_exceeds_limit,
    is_exists,
    is_not_found,
    parse_reference,
)
from tests.s3.lake import KEY, SECRET

MIB = 1024 * 1024
CTX = "self, ctx: Context | None"
SIGNATURES = {
    "CreateContainer": ("create_container", f"({CTX}, container: str) -> Container"),
    "createContainer": ("create_container_at", f"({CTX}, loc_id: LocationID, container: str) -> Container"),
    "LoadContainer": ("load_container", f"({CTX}, container: str, create_if_not_found: bool) -> Container"),
    "loadContainer": (
        "load_container_at",
        f"({CTX}, loc_id: LocationID, container: str, create_if_not_found: bool) -> Container",
    ),
    "getContainer": ("get_container", f"({CTX}, loc_id: LocationID, container: str) -> Container"),
    "getLocation": ("get_location", "(self, loc_id: LocationID) -> Location"),
    "Head": ("head", f"({CTX}, reference: DataReference) -> Metadata"),
    "List": (
        "list",
        f"({CTX}, reference: DataReference, max_items: int, cursor: Cursor) -> tuple[References, Cursor]",
    ),
    "ReadRaw": ("read_raw", f"({CTX}, reference: DataReference) -> BinaryIO"),
    "WriteRaw": ("write_raw", f"({CTX}, reference: DataReference, size: int, opts: Options, raw: Source) -> None"),
    "CopyRaw": (
        "copy_raw",
        f"({CTX}, source: DataReference, destination: DataReference, opts: Options) -> None",
    ),
    "Delete": ("delete", f"({CTX}, reference: DataReference) -> None"),
    "GetBaseContainerFQN": ("get_base_container_fqn", f"({CTX}) -> DataReference"),
    "CreateSignedURL": (
        "create_signed_url",
        f"({CTX}, reference: DataReference, properties: SignedURLProperties) -> SignedURLResponse",
    ),
}
"""The documented interface, name by name."""
_names = itertools.count(1)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    own, signature = SIGNATURES[name]
    method = getattr(DataStore, own)
    assert str(inspect.signature(method)).replace("'", "") == signature
    assert getattr(DataStore, name) is method, "the original name is an alias"
    assert method.__doc__


def test_nothing_else_is_public():
    public = {name for name in vars(DataStore) if not name.startswith("_")}
    assert public == set(SIGNATURES) | {own for own, _ in SIGNATURES.values()} | {"close"}


def location(served, *, key: str = KEY, secret: str = SECRET) -> Location:
    client = Client(
        served.endpoint,
        access_key_id=key,
        secret_access_key=secret,
        transport=httpx2.HTTPTransport(trust_env=False),
    )
    return Location(f"{served.endpoint}/s3", access_key_id=key, secret_access_key=secret, client=client)


def store_on(served, container: str = "", **options) -> DataStore:
    return DataStore(container or f"base{next(_names):04}", {LocationID.MAIN: location(served)}, **options)


@pytest.fixture
def store(served):
    """A store with a new base container."""
    with store_on(served) as made:
        made.create_container(None, base_of(made))
        yield made


def base_of(store: DataStore) -> str:
    return store.get_base_container_fqn(None).removeprefix("s3://")


def put(store: DataStore, key: str, body: bytes = b"x", **options) -> str:
    reference = f"{store.get_base_container_fqn(None)}/{key}"
    store.write_raw(None, reference, len(body), Options(**options), io.BytesIO(body))
    return reference


def read(store: DataStore, reference: str) -> bytes:
    with store.read_raw(None, reference) as stream:
        return stream.read()


def keys(references: list[str]) -> list[str]:
    return [parse_reference(one)[1] for one in references]


# -- objects -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 5, MIB - 1, MIB, MIB + 1])
def test_bodies_come_back(store, size):
    body = (b"0123456789" * (size // 10 + 1))[:size]
    reference = put(store, f"body-{size}", body)
    assert read(store, reference) == body
    found = store.head(None, reference)
    assert (found.exists, found.size, found.etag) == (True, size, hashlib.md5(body).hexdigest())


def test_streams_are_read_as_they_come(store):
    reference = put(store, "stream", b"abcdefgh" * 10_000)
    with store.read_raw(None, reference) as stream:
        assert stream.readable()
        assert stream.read(3) == b"abc"
        assert stream.read(5) == b"defgh"
    assert stream.closed
    with pytest.raises(ValueError, match="closed"):
        stream.read(1)


def test_what_is_absent(store, served):
    reference = f"{store.get_base_container_fqn(None)}/absent"
    assert store.head(None, reference) == Metadata(exists=False)
    with pytest.raises(NotFound) as missing:
        store.read_raw(None, reference)
    assert is_not_found(missing.value)
    store.delete(None, reference)
    with store_on(served) as nowhere:
        there = f"{nowhere.get_base_container_fqn(None)}/x"
        assert nowhere.head(None, there) == Metadata(exists=False)
        for call in (
            lambda: nowhere.read_raw(None, there),
            lambda: nowhere.delete(None, there),
            lambda: nowhere.list(None, there, 1, AT_START),
        ):
            with pytest.raises(RepositoryNotFound):
                call()


@pytest.mark.parametrize("size", [-1, 2 * MIB])
def test_metadata_of_large_bodies(store, size):
    reference = f"{store.get_base_container_fqn(None)}/large{size}"
    options = Options(metadata={"flytecontentmd5": "abc=="})
    store.write_raw(None, reference, size, options, io.BytesIO(b"x" * 2 * MIB))
    found = store.head(None, reference)
    assert (found.size, found.content_md5) == (2 * MIB, "abc==")


def test_metadata_is_kept(store):
    options = {"metadata": {"FlyteContentMD5": "abc==", "other": "ü"}, "content_type": "text/plain"}
    reference = put(store, "with-metadata", b"x", **options)
    assert store.head(None, reference).content_md5 == "abc=="
    url = store.create_signed_url(None, reference, SignedURLProperties()).url
    seen = httpx2.get(url, trust_env=False).headers
    assert (seen["x-amz-meta-flytecontentmd5"], seen["content-type"]) == ("abc==", "text/plain")
    with pytest.raises(InvalidArgument, match="metadata"):
        put(store, "bad", b"x", metadata={"a": 1})
    assert not store.head(None, f"{store.get_base_container_fqn(None)}/bad").exists


@pytest.mark.parametrize("size", [10, 2 * MIB])
@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_size_that_is_not_true_stores_nothing(store, size, wrong):
    reference = f"{store.get_base_container_fqn(None)}/lie"
    with pytest.raises(InvalidArgument, match="nothing was stored"):
        store.write_raw(None, reference, size + wrong, Options(), io.BytesIO(b"x" * size))
    assert not store.head(None, reference).exists
    store.write_raw(None, reference, -1, Options(), io.BytesIO(b"x" * size))
    assert store.head(None, reference).size == size


def test_limits(served):
    with store_on(served) as store:
        large = put(store, "large", b"x" * (2 * MIB + 1))
        exact = put(store, "exact", b"x" * (2 * MIB))
        with pytest.raises(LimitExceeded) as refused:
            store.read_raw(None, large)
        assert is_exceeds_limit(refused.value)
        assert len(read(store, exact)) == 2 * MIB
        assert refused.value.code == "LIMIT_EXCEEDED"
        base = base_of(store)
    with store_on(served, base, max_download_mbs=0) as boundless:
        assert len(read(boundless, large)) == 2 * MIB + 1


ODD = ["a b", "a+b", "a%b", "a?b#c", "ä/ö", "a;b&c='d'\"(e),~f", "%41", "dir/%2F", "emoji 🦆"]


@pytest.mark.parametrize("key", ODD)
def test_odd_keys_survive(store, served, key):
    reference = construct_reference(store.get_base_container_fqn(None)) + _quoted(key)
    store.write_raw(None, reference, 1, Options(), io.BytesIO(b"x"))
    assert parse_reference(reference)[1] == key
    listed, _ = store.list(None, store.get_base_container_fqn(None), 100, AT_START)
    [same] = [one for one in listed if parse_reference(one)[1] == key]
    assert read(store, same) == b"x"
    signed = store.create_signed_url(None, same, SignedURLProperties())
    assert httpx2.get(signed.url, trust_env=False).content == b"x"
    assert served.stat(base_of(store), "main", key)["size_bytes"] == 1


def _quoted(key: str) -> str:
    from urllib.parse import quote

    return quote(key)


# -- lists -------------------------------------------------------------------------------------------------------------


def test_lists_in_pages(store):
    for number in range(5):
        put(store, f"dir/{number}")
    put(store, "dir2/x")
    base = store.get_base_container_fqn(None)
    found, cursor = store.list(None, base, 4, AT_START)
    assert (keys(found), cursor) == (["dir/0", "dir/1", "dir/2", "dir/3"], cursor_at("dir/3"))
    found, cursor = store.list(None, base, 4, cursor)
    assert (keys(found), cursor) == (["dir/4", "dir2/x"], AT_END)
    assert cursor.at_end
    with pytest.raises(InvalidArgument, match="ended"):
        store.list(None, base, 4, cursor)
    assert keys(store.list(None, f"{base}/dir/", 10, AT_START)[0]) == [*(f"dir/{n}" for n in range(5)), "dir2/x"]
    assert store.list(None, f"{base}/dir", 6, AT_START)[1] == AT_END, "an exact page"
    assert store.list(None, f"{base}/none", 6, AT_START) == ([], AT_END)
    assert store.list(None, base, 0, AT_START) == ([], AT_END)
    with pytest.raises(InvalidArgument, match="max_items"):
        store.list(None, base, -1, AT_START)


def test_more_than_a_page_of_the_server(store, monkeypatch):
    monkeypatch.setattr("lakehouse.sdk.datastore.store.PAGE", 2)
    paths = [f"many/{number}" for number in range(5)]
    for path in paths:
        put(store, path)
    base = f"{store.get_base_container_fqn(None)}/many"
    listed, cursor = store.list(None, base, 3, AT_START)
    assert (keys(listed), cursor) == (paths[:3], cursor_at(paths[2]))
    assert keys(store.list(None, base, 5000, cursor)[0]) == paths[3:]


# -- containers --------------------------------------------------------------------------------------------------------


def test_containers_are_plain_repositories(store, lake):
    base = base_of(store)
    assert lake.repositories.get_repository_metadata(base)["lakehouse.plain"] == "true"
    reference = put(store, "a/b")
    assert lake.objects.get_object(base, "main", "a/b") == b"x"
    assert lake.commits.commit(base, "main", "history").id
    store.delete(None, reference)
    assert not store.head(None, reference).exists
    assert lake.objects.get_object(base, "main@", "a/b") == b"x", "commits keep it"


def test_the_base_container_is_made_at_the_first_write(served):
    with store_on(served) as store:
        assert read(store, put(store, "first")) == b"x"


def test_creating_and_loading(store, served):
    with pytest.raises(AlreadyExists) as there:
        store.create_container(None, base_of(store))
    assert is_exists(there.value)
    with pytest.raises(InvalidArgument, match="regex"):
        store.create_container(None, "Bad_Name")
    assert store.load_container(None, base_of(store), False) == Container(base_of(store), "main")
    name = f"other{next(_names):04}"
    with pytest.raises(RepositoryNotFound):
        store.load_container(None, name, False)
    assert store.load_container(None, name, True).name == name
    assert store.load_container_at(None, LocationID.SIGNED_URL, name, False).name == name
    assert store.create_container_at(None, LocationID.MAIN, f"{name}x").name == f"{name}x"


def test_other_containers_only_if_they_are_served(store, served):
    other = f"other{next(_names):04}"
    requests = []
    store.get_location(LocationID.MAIN).client.repositories.get_repository = requests.append
    for call in (
        lambda: store.head(None, f"s3://{other}/x"),
        lambda: store.read_raw(None, f"s3://{other}/x"),
        lambda: store.write_raw(None, f"s3://{other}/x", 0, Options(), io.BytesIO()),
        lambda: store.create_signed_url(None, f"s3://{other}/x", SignedURLProperties()),
        lambda: store.get_container(None, LocationID.MAIN, other),
    ):
        with pytest.raises(BadContainer) as refused:
            call()
        assert is_not_found(refused.value)
    assert requests == [], "no request was made"
    with store_on(served, base_of(store), enable_multicontainer=True) as several:
        with pytest.raises(RepositoryNotFound):
            several.write_raw(None, f"s3://{other}/x", 0, Options(), io.BytesIO())
        several.create_container(None, other)
        several.write_raw(None, f"s3://{other}/x", 1, Options(), io.BytesIO(b"o"))
        assert read(several, f"s3://{other}/x") == b"o"
        several.copy_raw(None, f"s3://{other}/x", f"s3://{base_of(store)}/copied", Options())
        assert read(several, f"s3://{base_of(store)}/copied") == b"o"


def test_containers_are_loaded_once_by_many_threads(served, lake):
    name = f"shared{next(_names):04}"
    lake.repositories.create_repository(name)
    with store_on(served, enable_multicontainer=True) as store:
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(store.get_container(None, LocationID.MAIN, name)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(store.get_container(None, LocationID.MAIN, name)) for _ in range(3)}) == 1
        assert len(found) == 8


def test_repositories_with_branches_have_them_in_their_keys(served, lake):
    name = f"branches{next(_names):04}"
    lake.repositories.create_repository(name)
    lake.branches.create_branch(name, "dev", "main")
    lake.branches.create_branch(name, "main2", "main")
    with store_on(served, name) as store:
        assert store.load_container(None, name, False).branch == ""
        for key in ("main/a", "main/b", "dev/a", "main2/c"):
            put(store, key, key.encode())
        assert read(store, f"s3://{name}/dev/a") == b"dev/a"
        assert lake.objects.get_object(name, "dev", "a") == b"dev/a"
        found, cursor = store.list(None, f"s3://{name}/main/", 1, AT_START)
        assert (keys(found), cursor) == (["main/a"], cursor_at("main/a"))
        assert keys(store.list(None, f"s3://{name}/main/", 5, cursor)[0]) == ["main/b"]
        commit = lake.commits.commit(name, "main", "m").id
        assert read(store, f"s3://{name}/{commit}/a") == b"main/a"
        assert not store.head(None, f"s3://{name}/nobranch/a").exists
        assert not store.head(None, f"s3://{name}/main").exists
        with pytest.raises(NotFound):
            store.list(None, f"s3://{name}/nobranch/", 5, AT_START)
        with pytest.raises(NotFound):
            put(store, "nobranch/a")
        for call in (lambda: put(store, "main"), lambda: store.list(None, f"s3://{name}", 5, AT_START)):
            with pytest.raises(InvalidArgument):
                call()
        with pytest.raises(InvalidArgument, match="cursor"):
            store.list(None, f"s3://{name}/main/", 5, cursor_at("dev/a"))


def test_copies(store, served):
    source = put(store, "source", b"body", metadata={"k": "v"}, content_type="text/plain")
    base = store.get_base_container_fqn(None)
    store.copy_raw(None, source, f"{base}/same", Options())
    store.copy_raw(None, source, f"{base}/changed", Options(metadata={"n": "w"}, content_type="text/html"))
    store.copy_raw(None, source, f"{base}/typed", Options(content_type="text/css"))
    for key, metadata, kind in (
        ("same", {"k": "v"}, "text/plain"),
        ("changed", {"n": "w"}, "text/html"),
        ("typed", {"k": "v"}, "text/css"),
    ):
        assert read(store, f"{base}/{key}") == b"body"
        found = served.stat(base_of(store), "main", key)
        assert found["metadata"] == {f"X-Amz-Meta-{name}": value for name, value in metadata.items()}
        assert found["content_type"] == kind
    with pytest.raises(NotFound):
        store.copy_raw(None, f"{base}/absent", f"{base}/x", Options())


# -- signed URLs -------------------------------------------------------------------------------------------------------


def test_signed_urls(store):
    reference = f"{store.get_base_container_fqn(None)}/signed dir/ü.txt"
    body = b"put by a stranger"
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    properties = SignedURLProperties(
        scope=URLScope.PUT, content_md5=digest, add_content_md5_metadata=True, expires_in=timedelta(minutes=1)
    )
    target = store.create_signed_url(None, reference, properties)
    assert target.required_request_headers == {"content-md5": digest, "x-amz-meta-flytecontentmd5": digest}

    def send(url: str, content: bytes = body, headers=target.required_request_headers) -> int:
        return httpx2.put(url, content=content, headers=headers, trust_env=False).status_code

    assert send(target.url, headers={}) == 403, "a signed header is missing"
    assert send(target.url, content=b"another body") == 400, "the checksum is another"
    assert send(target.url.replace("signed", "other")) == 403
    assert not store.head(None, reference).exists
    assert send(target.url) == 200
    found = store.head(None, reference)
    assert (found.size, found.content_md5) == (len(body), digest)
    fetched = store.create_signed_url(None, reference, SignedURLProperties())
    assert fetched.required_request_headers == {}
    assert httpx2.get(fetched.url, trust_env=False).content == body
    assert httpx2.head(fetched.url, trust_env=False).status_code == 403, "of one method"
    assert send(fetched.url) == 403


def test_signed_urls_end(store, served):
    reference = put(store, "ends")
    url = store.create_signed_url(None, reference, SignedURLProperties(expires_in=timedelta(seconds=30))).url
    assert httpx2.get(url, trust_env=False).status_code == 200
    served.offset[0] += 40
    assert httpx2.get(url, trust_env=False).status_code == 403


def test_signed_urls_that_cannot_be(store):
    reference = put(store, "x")
    for properties in (
        SignedURLProperties(expires_in=timedelta(0)),
        SignedURLProperties(expires_in=timedelta(days=8)),
        SignedURLProperties(scope=2),
    ):
        with pytest.raises(InvalidArgument):
            store.create_signed_url(None, reference, properties)
    with pytest.raises(InvalidArgument, match="no object"):
        store.create_signed_url(None, store.get_base_container_fqn(None), SignedURLProperties())


def test_signed_urls_lead_to_their_own_location(served):
    outside = Location("https://lake.example.org/s3", access_key_id=KEY, secret_access_key=SECRET)
    locations = {LocationID.MAIN: location(served), LocationID.SIGNED_URL: outside}
    with DataStore("base-of-two", locations) as store:
        url = store.create_signed_url(None, "s3://base-of-two/a", SignedURLProperties()).url
        assert url.startswith("https://lake.example.org/s3/base-of-two/a?X-Amz-")
        assert store.get_location(LocationID.SIGNED_URL) is outside
        assert store.get_location(LocationID.MAIN).endpoint == served.endpoint


def test_locations(store, served):
    assert store.getLocation(LocationID.SIGNED_URL) is store.getLocation(LocationID.MAIN)
    with pytest.raises(InvalidArgument, match="location"):
        store.get_location(7)
    with pytest.raises(InvalidArgument, match="MAIN"):
        DataStore("x", {})
    with pytest.raises(InvalidArgument, match="endpoint"):
        Location("lake.example.org", access_key_id="", secret_access_key="")


# -- references, contexts, figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "container", "key"),
    [
        ("s3://b/dir/", "b", "dir"),
        ("gs://b//dir/x?q=1#f", "b", "dir/x"),
        ("s3://b", "b", ""),
        ("s3://b/a%20b%2Fc", "b", "a b/c"),
        ("s3://b/a+b", "b", "a+b"),
    ],
)
def test_references(reference, container, key):
    assert parse_reference(reference) == (container, key)


@pytest.mark.parametrize("reference", ["", "b/key", "s3:/b/key", "s3:///key", "://b/k", "s3://b/%zz", "s3://b/%ff"])
def test_references_that_are_none(store, reference):
    with pytest.raises(BadReference):
        store.head(None, reference)


def test_references_are_built(store):
    assert construct_reference("s3://b/a/", "/c/", "d e") == "s3://b/a/c/d%20e"
    assert construct_reference("s3://b/a", "../x") == "s3://b/x"
    assert construct_reference("s3://b", "a", "..", "..", "x") == "s3://b/x"


def test_contexts(store):
    reference = put(store, "ctx", b"x" * 300_000)
    stopped = threading.Event()
    ctx = Context(deadline=time.monotonic() + 600, cancel=stopped)
    stream = store.read_raw(ctx, reference)
    stopped.set()
    with stream, pytest.raises(Canceled):
        stream.read()
    for late, error in ((ctx, Canceled), (Context(deadline=time.monotonic() - 1), TimeoutError)):
        for call in (
            lambda late=late: store.head(late, reference),
            lambda late=late: store.list(late, reference, 1, AT_START),
            lambda late=late: store.read_raw(late, reference),
            lambda late=late: store.write_raw(late, reference, 1, Options(), io.BytesIO(b"y")),
            lambda late=late: store.copy_raw(late, reference, reference, Options()),
            lambda late=late: store.delete(late, reference),
            lambda late=late: store.create_signed_url(late, reference, SignedURLProperties()),
            lambda late=late: store.create_container(late, "never"),
            lambda late=late: store.load_container(late, "never", True),
        ):
            with pytest.raises(error):
                call()
    assert store.head(None, reference).size == 300_000


def test_figures(served):
    seen = []
    with store_on(served) as store:
        store.measured._observe = lambda *call: seen.append(call)
        reference = put(store, "a")
        read(store, reference)
        store.head(None, reference)
        store.list(None, reference, 1, AT_START)
        store.copy_raw(None, reference, f"{reference}b", Options())
        store.create_signed_url(None, reference, SignedURLProperties())
        store.delete(None, reference)
        with pytest.raises(NotFound):
            store.read_raw(None, reference)
        with pytest.raises(BadReference):
            store.head(None, "nothing")
        with pytest.raises(BadContainer):
            store.delete(None, "s3://elsewhere/x")
        figures = store.measured.operations
        assert {name: one.calls for name, one in figures.items()} == {
            "head": 2, "list": 1, "read": 2, "write": 1, "delete": 2, "copy": 1, "sign": 1,
        }  # fmt: skip
        assert figures["read"].failures == {"ObjectNotFound": 1}
        assert figures["delete"].failures == {"BadContainer": 1}
        assert all(sum(one.classes) == one.calls and one.seconds > 0 for one in figures.values())
        assert (store.measured.bad_key, store.measured.bad_container) == (1, 1)
        assert [name for name, _, failure in seen if failure] == ["read", "head", "delete"]


def test_wrong_keys_show_up_at_first_use(served):
    client = Client(
        served.endpoint, access_key_id=KEY, secret_access_key="no", transport=httpx2.HTTPTransport(trust_env=False)
    )
    wrong = Location(served.endpoint, access_key_id=KEY, secret_access_key="no", client=client)
    with DataStore("base", {LocationID.MAIN: wrong}) as store, pytest.raises(Exception, match="authenticat"):
        store.head(None, "s3://base/x")
