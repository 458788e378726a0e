# SPDX-License-Identifier: Apache-2.0
"""`lakehouse serve` with its bytes in Google Cloud Storage or in Azure, as their emulators have them."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request

import pytest

from lakehouse.core.errors import Unsupported
from lakehouse.sdk import Client
from lakehouse.wire.staging import StagingMetadata
from tests.contracts import emulators
from tests.running import KEY, SECRET, start_server

BUCKET = "lake-bytes"


@pytest.fixture(scope="module", params=["gs", pytest.param("az", marks=pytest.mark.deep)])
def scheme(request):
    return request.param


@pytest.fixture(scope="module")
def environment(scheme, tmp_path_factory):
    """Settings of a server whose objects are there."""
    if scheme == "gs":
        path = tmp_path_factory.mktemp("gcs") / "account.json"
        path.write_text(emulators.service_account())
        emulator, more = emulators.fake_gcs(BUCKET), {"CREDENTIALS": str(path)}
    else:
        emulator = emulators.azurite(BUCKET)
        more = {"ACCESS_KEY_ID": emulators.ACCOUNT, "SECRET_ACCESS_KEY": emulators.ACCOUNT_KEY}
    with emulator as endpoint:
        yield {
            f"LAKEHOUSE_OBJECT_STORE__{name}": value
            for name, value in ({"URL": f"{scheme}://{BUCKET}", "ENDPOINT": endpoint} | more).items()
        }


@pytest.fixture(scope="module")
def lake(environment, tmp_path_factory):
    server = start_server(tmp_path_factory.mktemp("front"), environment=environment)
    with Client(server.url, access_key_id=KEY, secret_access_key=SECRET) as client:
        yield client
    server.stop()


def upload(scheme: str, lake: Client, path: str, data: bytes) -> None:
    if scheme == "az":
        stats = lake.staging.upload("whole", "main", path, data)
        assert stats.checksum == hashlib.md5(data).hexdigest()
        return
    location = lake.staging.get_physical_address("whole", "main", path, presign=True)
    with urllib.request.urlopen(urllib.request.Request(location.presigned_url, data, method="PUT")):
        pass  # the emulator tells no ETag, as Google does
    facts = StagingMetadata(staging=location, checksum=hashlib.md5(data).hexdigest(), size_bytes=len(data))
    lake.staging.link_physical_address("whole", "main", path, facts)


def test_the_whole_way(scheme, lake, tmp_path):
    made = lake.repositories.create_repository("whole")
    assert made.storage_namespace.startswith(f"{scheme}://{BUCKET}/whole/")
    data = os.urandom(20_000_000)
    large = tmp_path / "large"
    large.write_bytes(data)
    upload(scheme, lake, "direct ü/1", b"straight to the store")
    lake.objects.upload_object("whole", "main", "through", large)
    lake.objects.upload_object("whole", "main", "empty", b"")
    lake.objects.copy_object("whole", "main", "copied", "through")
    lake.commits.commit("whole", "main", "first")
    lake.branches.create_branch("whole", "side", "main")
    lake.objects.delete_object("whole", "side", "copied")
    lake.commits.commit("whole", "side", "less")
    lake.refs.merge_into_branch("whole", "side", "main")
    assert [one.path for one in lake.objects.each_object("whole", "main")] == ["direct ü/1", "empty", "through"]
    assert lake.objects.get_object("whole", "main", "direct ü/1") == b"straight to the store"
    assert lake.objects.get_object("whole", "main", "through") == data
    assert lake.objects.get_object("whole", "main", "through", presign=True) == data
    assert lake.objects.get_object("whole", "main", "through", byte_range=(9, 11)) == data[9:12]
    assert lake.objects.get_object("whole", "main", "empty") == b""


def test_what_the_server_tells(scheme, lake):
    storage = lake.config.get_config().storage_config
    assert storage.blockstore_type == {"gs": "gs", "az": "azure"}[scheme]
    assert storage.blockstore_namespace_example == f"{scheme}://{BUCKET}/my-repo/"
    assert (storage.pre_sign_support, storage.pre_sign_multipart_upload) == (True, False)
    lake.repositories.create_repository("parts")
    with pytest.raises(Unsupported):
        lake.multipart.create_presign_multipart_upload("parts", "main", "p")


def test_urls_are_for_one_object_and_method(scheme, lake):
    if scheme == "gs":
        return  # the emulator looks at no signature: see the unit tests of signing
    lake.repositories.create_repository("urls")
    lake.objects.upload_object("urls", "main", "k", b"x")
    url = lake.objects.stat_object("urls", "main", "k", presign=True).physical_address
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"x"
    put = urllib.request.Request(url, b"y", {"x-ms-blob-type": "BlockBlob"}, method="PUT")
    for refused in (put, url.replace("/data/", "/date/"), url.replace("sig=", "sig=0")):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(refused)
