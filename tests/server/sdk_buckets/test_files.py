# SPDX-License-Identifier: Apache-2.0
"""Our own bucket interface against a running server: files and folders, both ways."""

from __future__ import annotations

import os
import time

import pytest

from lakehouse.sdk.buckets import (
    URL,
)
from lakehouse.sdk.buckets import upload as parts
from tests.server.sdk_buckets.contents import Told, content, filled, keys, local, put_all

pytestmark = pytest.mark.anyio
MIB = 2**20


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
