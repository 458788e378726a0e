# SPDX-License-Identifier: Apache-2.0
# environment: today
"""lakefs, the high-level client: files, branches, merges and transactions as its users write them."""

from __future__ import annotations

import os

import checks
import lakefs
from checks import ENDPOINT, KEY, SECRET, equal, fails, fresh, namespace
from lakefs.exceptions import (
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotAuthorizedException,
    NotFoundException,
    ObjectExistsException,
    ObjectNotFoundException,
    TransactionException,
)

CLIENT = lakefs.Client(host=ENDPOINT, username=KEY, password=SECRET)


def new_repository() -> lakefs.Repository:
    name = fresh("wrapper")
    return lakefs.Repository(name, client=CLIENT).create(storage_namespace=namespace(name))


def check_configuration() -> None:
    assert CLIENT.version
    equal(CLIENT.storage_config.pre_sign_support, True)


def check_create_repository() -> None:
    repository = new_repository()
    equal(repository.properties.default_branch, "main")
    repository.create(storage_namespace=namespace(repository.id), exist_ok=True)
    with fails(ConflictException, status=409, says="Conflict"):
        repository.create(storage_namespace=namespace(repository.id))
    assert repository.id in [each.id for each in lakefs.repositories(client=CLIENT)]
    with fails(BadRequestException, status=400):
        lakefs.Repository(fresh(), client=CLIENT).create(storage_namespace="s3://lake.local/x", storage_id="nowhere")
    repository.delete()
    with fails(NotFoundException, status=404):
        repository.delete()


def round_trip(*, pre_sign: bool | None) -> None:
    branch = new_repository().branch("main")
    text = branch.object("dir/é text.txt").upload(
        "grüße", pre_sign=pre_sign, content_type="text/plain", metadata={"k": "v"}
    )
    stats = text.stat()
    equal((stats.size_bytes, stats.content_type, stats.metadata), (7, "text/plain", {"k": "v"}))
    with text.reader("r", pre_sign=pre_sign) as file:
        equal(file.read(), "grüße")
    data = bytes(range(256)) * 16
    with branch.object("b.bin").writer("wb", pre_sign=pre_sign) as file:
        for start in range(0, len(data), 1000):
            file.write(data[start : start + 1000])
    with branch.object("b.bin").reader("rb", pre_sign=pre_sign) as file:
        equal(file.read(), data)
        equal(file.read(), b"")
    branch.object("empty").upload(b"", pre_sign=pre_sign)
    with branch.object("empty").reader("rb", pre_sign=pre_sign) as file:
        equal(file.read(10), b"")
    with fails(ObjectExistsException):
        branch.object("b.bin").upload(b"x", mode="xb", pre_sign=pre_sign)
    branch.object("new").upload(b"x", mode="xb", pre_sign=pre_sign)
    equal([item.path for item in branch.objects()], ["b.bin", "dir/é text.txt", "empty", "new"])


def check_files_by_default() -> None:
    """The server says that it presigns, so this client uses it unless told otherwise."""
    round_trip(pre_sign=None)


def check_files_presigned() -> None:
    round_trip(pre_sign=True)


def check_files_through_the_server() -> None:
    round_trip(pre_sign=False)


def check_reading_in_parts() -> None:
    branch = new_repository().branch("main")
    lines = b"".join(b"line %d\n" % n for n in range(50))
    branch.object("lines").upload(lines)
    for pre_sign in (True, False):
        with branch.object("lines").reader("rb", pre_sign=pre_sign) as file:
            equal(b"".join(iter(lambda: file.read(7), b"")), lines)
            file.seek(-7, os.SEEK_END)
            equal(file.read(), lines[-7:])
            file.seek(5)
            equal((file.read(2), file.tell()), (lines[5:7], 7))
            file.seek(10_000)
            equal(file.read(1), b"")
        with branch.object("lines").reader("r", pre_sign=pre_sign) as text:
            equal(list(text)[:2], ["line 0\n", "line 1\n"])


def check_byte_by_byte() -> None:
    branch = new_repository().branch("main")
    branch.object("few").upload(b"0123456789")
    with branch.object("few").reader("rb") as file:
        equal([file.read(1) for _ in range(11)], [b"%d" % n for n in range(10)] + [b""])


def check_commit_log_diff_merge_tag() -> None:
    repository = new_repository()
    main = repository.branch("main")
    main.object("a").upload("0")
    equal([(change.type, change.path) for change in main.uncommitted()], [("added", "a")])
    first = main.commit("first", metadata={"step": "1"})
    equal(first.get_commit().metadata, {"step": "1"})
    equal(list(main.uncommitted()), [])

    work = repository.branch("work").create("main")
    with fails(ConflictException, status=409):
        repository.branch("work").create("main")
    repository.branch("work").create("main", exist_ok=True)
    work.object("a").upload("1")
    work.object("b").upload("1")
    work.commit("second")
    equal([(change.type, change.path) for change in main.diff(work)], [("changed", "a"), ("added", "b")])
    merged = work.merge_into(main, message="third")
    equal(main.get_commit().id, merged)
    equal(main.object("a").reader("r").read(), "1")
    messages = [commit.message for commit in main.log()]
    equal(sorted(messages), sorted(["third", "second", "first", "Repository created"]))
    equal([commit.message for commit in main.log(max_amount=1)], ["third"])
    with fails(BadRequestException, status=400, says="no changes"):
        work.merge_into(main)

    tag = repository.tag("v1").create(first)
    equal(tag.get_commit().id, first.id)
    equal(tag.object("a").reader("r").read(), "0")
    equal([each.id for each in repository.tags()], ["v1"])
    tag.delete()
    equal(list(repository.tags()), [])
    work.delete()
    equal([each.id for each in repository.branches()], ["main"])
    with fails(ForbiddenException, status=403):
        main.delete()


def check_conflict() -> None:
    repository = new_repository()
    main = repository.branch("main")
    work = repository.branch("work").create("main")
    for branch, value in ((main, "m"), (work, "w")):
        branch.object("a").upload(value)
        branch.commit(value)
    with fails(ConflictException, status=409, says="Conflict"):
        work.merge_into(main)
    equal([(change.type, change.path) for change in main.diff(work)], [("conflict", "a")])
    work.merge_into(main, strategy="source-wins")
    equal(main.object("a").reader("r").read(), "w")


def check_many_branches() -> None:
    """More than one page of them."""
    repository = new_repository()
    names = [f"b{n:03}" for n in range(120)]
    for name in names:
        repository.branch(name).create("main")
    equal([each.id for each in repository.branches()], [*names, "main"])
    equal([each.id for each in repository.branches(prefix="b11", max_amount=3)], ["b110", "b111", "b112"])


def check_listing_and_deleting() -> None:
    main = new_repository().branch("main")
    for path in ("dir/1", "dir/2", "dir/sub/3", "top"):
        main.object(path).upload(path)
    grouped = list(main.objects(delimiter="/"))
    equal([each.path for each in grouped], ["dir/", "top"])
    equal([type(each).__name__ for each in grouped], ["CommonPrefix", "ObjectInfo"])
    equal([each.path for each in main.objects(prefix="dir/", max_amount=2)], ["dir/1", "dir/2"])
    equal(main.object("top").exists(), True)
    equal(main.object("absent").exists(), False)
    main.object("top").delete()
    equal(main.object("top").exists(), False)
    main.delete_objects(["dir/1", main.object("dir/2"), "absent"])
    equal([each.path for each in main.objects()], ["dir/sub/3"])
    main.reset_changes("object", "dir/sub/3")
    equal(list(main.objects()), [])
    with fails(ObjectNotFoundException, FileNotFoundError):
        main.object("top").reader("rb").read()
    with fails(ObjectNotFoundException, status=404):
        main.object("top").stat()


def check_copy() -> None:
    repository = new_repository()
    main = repository.branch("main")
    main.object("from").upload("bytes", metadata={"k": "v"})
    main.commit("from")
    repository.branch("work").create("main")
    main.object("from").copy("work", "to")
    copied = repository.branch("work").object("to")
    equal((copied.reader("r").read(), copied.stat().metadata), ("bytes", {"k": "v"}))


def check_transaction() -> None:
    repository = new_repository()
    main = repository.branch("main")
    main.object("old").upload("0")
    main.commit("before")
    with main.transact(commit_message="in one step", tag="done") as transaction:
        transaction.object("new").upload("1")
        transaction.object("old").delete()
        equal([each.path for each in main.objects()], ["old"])
        equal([each.id for each in repository.branches()], ["main"])
    equal([each.path for each in main.objects()], ["new"])
    assert "in one step" in [commit.message for commit in main.log()]
    equal(repository.tag("done").get_commit().id, main.get_commit().id)
    equal([each.id for each in repository.branches(show_hidden=True)], ["main"])


def check_transaction_that_fails() -> None:
    repository = new_repository()
    main = repository.branch("main")
    with fails(KeyError), main.transact(commit_message="never") as transaction:
        transaction.object("new").upload("1")
        raise KeyError
    equal(list(main.objects()), [])
    equal([each.id for each in repository.branches(show_hidden=True)], ["main"])


def check_transaction_in_conflict() -> None:
    repository = new_repository()
    main = repository.branch("main")
    with fails(TransactionException), main.transact(commit_message="late") as transaction:
        transaction.object("same").upload("transaction")
        main.object("same").upload("main")
        main.commit("first")
    equal(main.object("same").reader("r").read(), "main")
    equal([each.id for each in repository.branches(show_hidden=True)], ["main"])


def check_wrong_credentials() -> None:
    stranger = lakefs.Client(host=ENDPOINT, username=KEY, password="wrong")
    with fails(NotAuthorizedException, status=401):
        list(lakefs.repositories(client=stranger))


if __name__ == "__main__":
    checks.run(globals())
