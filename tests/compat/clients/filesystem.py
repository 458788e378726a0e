# SPDX-License-Identifier: Apache-2.0
# environment: today
"""lakefs-spec: the lake as a file system for everything that knows fsspec."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import checks
import fsspec
import lakefs
from checks import ENDPOINT, KEY, SECRET, equal, fails, fresh, namespace

if TYPE_CHECKING:
    from lakefs_spec import LakeFSFileSystem

CLIENT = lakefs.Client(host=ENDPOINT, username=KEY, password=SECRET)


def file_system(**more: object) -> LakeFSFileSystem:
    return fsspec.filesystem(
        "lakefs",
        host=ENDPOINT,
        username=KEY,
        password=SECRET,
        skip_instance_cache=True,
        use_listings_cache=False,
        **more,
    )


FILES = file_system()


def new_repository() -> str:
    name = fresh("files")
    lakefs.Repository(name, client=CLIENT).create(storage_namespace=namespace(name))
    return name


def check_put_and_get() -> None:
    repository = new_repository()
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "local.bin"
        local.write_bytes(b"some bytes" * 1000)
        FILES.put(str(local), f"lakefs://{repository}/main/dir/remote.bin")
        back = Path(folder) / "back.bin"
        FILES.get(f"lakefs://{repository}/main/dir/remote.bin", str(back))
        equal(back.read_bytes(), local.read_bytes())
        equal(FILES.checksum(f"{repository}/main/dir/remote.bin"), hashlib.md5(local.read_bytes()).hexdigest())
        with fails(FileExistsError):
            FILES.put_file(str(local), f"lakefs://{repository}/main/dir/remote.bin", mode="create")


def check_folders() -> None:
    repository = new_repository()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt"):
            path = Path(folder) / "from" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        FILES.put(f"{folder}/from/", f"lakefs://{repository}/main/tree/", recursive=True)
        FILES.get(f"lakefs://{repository}/main/tree/", f"{folder}/to/", recursive=True)
        equal((Path(folder) / "to" / "sub" / "deep" / "c.txt").read_text(), "sub/deep/c.txt")
    found = FILES.find(f"lakefs://{repository}/main/tree/")
    equal(found, [f"{repository}/main/tree/{name}" for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt")])


def check_ls_info_exists() -> None:
    repository = new_repository()
    root = f"lakefs://{repository}/main/"
    for path in ("dir/a", "dir/b", "top"):
        FILES.pipe(root + path, path.encode())
    equal(
        [(item["name"], item["type"]) for item in FILES.ls(root)],
        [(f"{repository}/main/dir/", "directory"), (f"{repository}/main/top", "file")],
    )
    equal(FILES.ls(root + "dir/", detail=False), [f"{repository}/main/dir/a", f"{repository}/main/dir/b"])
    equal(FILES.info(root + "top")["size"], 3)
    equal(FILES.info(root + "dir")["type"], "directory")
    equal([FILES.exists(root + path) for path in ("top", "dir/", "absent", "")], [True, True, False, True])
    equal(FILES.exists(f"lakefs://{repository}/absent/"), False)
    with fails(FileNotFoundError):
        FILES.info(root + "absent")
    with fails(FileNotFoundError):
        FILES.cat(root + "absent")


def check_read_and_write_files() -> None:
    repository = new_repository()
    path = f"lakefs://{repository}/main/text.txt"
    for pre_sign in (True, False):
        with FILES.open(path, "w", pre_sign=pre_sign) as file:
            file.write(f"line 1\nline 2 {pre_sign}\n")
        with FILES.open(path, "r", pre_sign=pre_sign) as file:
            equal(list(file), ["line 1\n", f"line 2 {pre_sign}\n"])
    equal(FILES.tail(path, 6), b"False\n")
    FILES.touch(f"lakefs://{repository}/main/touched")
    equal(FILES.info(f"lakefs://{repository}/main/touched")["size"], 0)
    FILES.cp_file(path, f"lakefs://{repository}/main/copy.txt")
    equal(FILES.cat(f"lakefs://{repository}/main/copy.txt"), FILES.cat(path))
    assert FILES.modified(path).timestamp() > 0


def check_a_branch_is_made_on_first_write() -> None:
    repository = new_repository()
    FILES.pipe(f"lakefs://{repository}/main/a", b"a")
    lakefs.Branch(repository, "main", client=CLIENT).commit("a")
    FILES.pipe(f"lakefs://{repository}/work/b", b"b")
    equal(FILES.ls(f"lakefs://{repository}/work/", detail=False), [f"{repository}/work/a", f"{repository}/work/b"])
    with fails(FileNotFoundError):
        file_system(create_branch_ok=False).pipe(f"lakefs://{repository}/never/b", b"b")


def check_rm() -> None:
    repository = new_repository()
    root = f"lakefs://{repository}/main/"
    for path in ("dir/a", "dir/sub/b", "top"):
        FILES.pipe(root + path, b"x")
    FILES.rm(root + "top")
    equal(FILES.exists(root + "top"), False)
    FILES.rm(root + "dir/", recursive=True)
    equal(FILES.exists(root + "dir/"), False)


def check_transaction() -> None:
    repository = new_repository()
    root = f"lakefs://{repository}/main/"
    with FILES.transaction(repository, "main") as transaction:
        FILES.pipe(f"lakefs://{repository}/{transaction.branch.id}/data/x", b"x")
        made = transaction.commit("in a transaction")
        transaction.tag(made, "released")
    equal(FILES.cat(root + "data/x"), b"x")
    equal(FILES.cat(f"lakefs://{repository}/released/data/x"), b"x")
    equal([each.id for each in lakefs.Repository(repository, client=CLIENT).branches()], ["main"])


def check_transaction_that_fails() -> None:
    repository = new_repository()
    files = file_system()
    with fails(KeyError), files.transaction(repository, "main", delete="always") as transaction:
        files.pipe(f"lakefs://{repository}/{transaction.branch.id}/x", b"x")
        transaction.commit("never merged")
        raise KeyError
    equal(FILES.exists(f"lakefs://{repository}/main/x"), False)


def check_protected_from_strangers() -> None:
    stranger = fsspec.filesystem("lakefs", host=ENDPOINT, username=KEY, password="wrong", skip_instance_cache=True)
    with fails(PermissionError):
        stranger.ls(f"lakefs://{new_repository()}/main/")


if __name__ == "__main__":
    checks.run(globals())
