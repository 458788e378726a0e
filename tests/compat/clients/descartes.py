# SPDX-License-Identifier: Apache-2.0
# environment: descartes
# deep
"""descarteslabs 1.12.1, every method of its Storage, with tokens of each kind. It runs on Python 3.8."""

from __future__ import annotations

import os

os.environ["DESCARTESLABS_ENV"] = "gcp-production"  # asked for when it is imported; nobody there is called

import io
import json
import tempfile
from pathlib import Path

import checks
import requests
from checks import ENDPOINT, KEY, SECRET, equal, fails, http
from descarteslabs.auth import Auth
from descarteslabs.client.services.storage import Storage
from descarteslabs.exceptions import AuthError, BadRequestError, NotFoundError, ServerError
from urllib3.util.retry import Retry

ROOT = f"{ENDPOINT}/storage/v1"
FOLDER = Path(tempfile.mkdtemp())


def token() -> str:
    status, _, body = http("POST", "/auth/login", body={"access_key_id": KEY, "secret_access_key": SECRET})
    equal(status, 200)
    return str(json.loads(body)["token"])


def auth_of(jwt: str) -> Auth:
    return Auth(jwt_token=jwt, token_info_path=None)


STORE = Storage(url=ROOT, auth=auth_of(token()))
TEXT = "h\u00e9llo \u4e16\u754c"
ODD = [
    " lead and trail ",
    "\u00fcber/\u4e16\u754c/\U0001f30d",
    '"<>[]{}|^`\\',
    "tab\there",
    "new\nline",
    "a+b;c,d:e@f=g&h'i~j*k!l$m(n)",
    "100%",
    "/lead",
    "dd//x",
    "trail/",
    "list",
    "get/x",
    "get_signed_url/k",
    "new_resumable_url/list",
    ".hidden/..not",
]


def check_set_and_get() -> None:
    STORE.set("greeting", TEXT)
    equal(STORE.get("greeting"), TEXT.encode())
    equal(STORE.exists("greeting"), True)
    STORE.set("greeting", b"other \x00\xff")
    equal(STORE.get("greeting"), b"other \x00\xff")


def check_every_kind_of_value() -> None:
    values = [
        ("", b""),
        (b"", b""),
        (None, b""),
        (io.BytesIO(b""), b""),
        (io.BytesIO(b"bytes"), b"bytes"),
        (iter([b"one ", b"two"]), b"one two"),
        ({"a": "b c"}, b"a=b+c"),
        (io.StringIO("ascii"), b"ascii"),
    ]
    for number, (value, stored) in enumerate(values):
        STORE.set(f"kinds/{number}", value)
        equal(STORE.get(f"kinds/{number}"), stored)
        equal(STORE.exists(f"kinds/{number}"), True)


def check_a_body_longer_than_its_length_stores_nothing() -> None:
    """The client counts the characters of a text file and sends its bytes."""
    with fails(BadRequestError, requests.exceptions.ConnectionError, ServerError):
        STORE.set("liar", io.StringIO(TEXT))
    equal(STORE.exists("liar"), False)
    STORE.set("liar", "the connection after it is a good one")
    equal(STORE.get("liar"), b"the connection after it is a good one")


def check_files() -> None:
    source, target = FOLDER / "source", FOLDER / "target"
    source.write_bytes(b"0123456789" * 100_000)
    STORE.set_file("file", str(source))
    STORE.get_file("file", str(target))
    equal(target.read_bytes(), source.read_bytes())
    with source.open("rb") as file:
        file.seek(999_990)
        STORE.set_file("file", file)
    taken = io.BytesIO()
    STORE.get_file("file", taken)
    equal(taken.getvalue(), b"0123456789")
    (FOLDER / "empty").write_bytes(b"")
    STORE.set_file("empty", str(FOLDER / "empty"))
    equal(STORE.get("empty"), b"")


def check_large_values_come_in_chunks() -> None:
    STORE.set("large", b"x" * 3_000_000)
    sizes = []

    class Taken:
        def write(self, chunk: bytes) -> None:
            sizes.append(len(chunk))

    STORE.get_file("large", Taken())
    equal(sum(sizes), 3_000_000)
    assert len(sizes) > 1, "it was kept in memory whole"


def check_missing_files_store_nothing() -> None:
    with fails(FileNotFoundError):
        STORE.set_file("never", str(FOLDER / "absent"))
    equal(STORE.exists("never"), False)
    with fails(NotFoundError):
        STORE.get_file("never", str(FOLDER / "not-made"))
    assert not (FOLDER / "not-made").exists()


def check_delete() -> None:
    STORE.set("doomed", "x")
    equal(STORE.delete("doomed"), None)
    equal(STORE.exists("doomed"), False)
    for call in (STORE.delete, STORE.get):
        with fails(NotFoundError, says="doomed"):
            call("doomed")


def check_storage_types_are_apart() -> None:
    for kind in ("data", "tmp", "result"):
        STORE.set("same", kind, storage_type=kind)
    for kind in ("data", "tmp", "result"):
        equal(STORE.get("same", storage_type=kind), kind.encode())
        assert "same" in STORE.list(storage_type=kind)
    STORE.delete("same", storage_type="tmp")
    equal([STORE.exists("same", storage_type=kind) for kind in ("data", "tmp", "result")], [True, False, True])


def check_unknown_storage_types() -> None:
    for kind in ("other", "DATA", ""):
        for call in (STORE.get, STORE.delete, STORE.get_signed_url, STORE.get_upload_url):
            with fails(BadRequestError, NotFoundError):
                call("x", storage_type=kind)
        with fails(BadRequestError, NotFoundError):
            STORE.list(storage_type=kind)


def check_lists() -> None:
    for number in range(12):
        STORE.set(f"lists/{number:02}", "x", storage_type="result")
    STORE.set("lists/a b+c%d&e", "x", storage_type="result")
    STORE.set("listsnot", "x", storage_type="result")
    expected = [f"lists/{number:02}" for number in range(12)] + ["lists/a b+c%d&e"]
    equal(STORE.list(prefix="lists/", storage_type="result"), expected)
    equal(list(STORE.iter_list(prefix="lists/", storage_type="result")), expected)
    equal(STORE.list(prefix="lists/a b+", storage_type="result"), expected[-1:])
    equal(STORE.list(prefix="lists/*", storage_type="result"), [])
    equal(STORE.list(prefix="", storage_type="result"), STORE.list(storage_type="result"))


def check_more_than_a_page() -> None:
    """More keys than a page has: put there by the other door."""
    repository = "descartes-data-admin"
    STORE.set("pages/first", "x")
    paths = [f"pages/{number:04}" for number in range(2100)]
    for path in paths:
        url = f"/repositories/{repository}/branches/main/objects?path={path.replace('/', '%2F')}"
        status, _, _ = http("POST", url, data=b"x", headers={"Content-Type": "application/octet-stream"})
        equal(status, 201)
    equal(STORE.list(prefix="pages/"), paths[:1000])
    equal(list(STORE.iter_list(prefix="pages/")), [*paths, "pages/first"])


def check_odd_keys() -> None:
    for key in ODD:
        STORE.set(f"odd/{key}", key)
        equal(STORE.get(f"odd/{key}"), key.encode())
        equal(STORE.exists(f"odd/{key}"), True)
        assert f"odd/{key}" in STORE.list(prefix="odd/"), key
        equal(requests.get(STORE.get_signed_url(f"odd/{key}")).content, key.encode())
    for key in ("list", "get/x", "get_signed_url/k", "/lead"):
        STORE.set(key, key)
        equal(STORE.get(key), key.encode())
        STORE.delete(key)
        equal(STORE.exists(key), False)
    STORE.set("odd/percent%20escaped", "x")  # the client sends %20 as it is, so the server sees a space
    assert "odd/percent escaped" in STORE.list(prefix="odd/percent")
    STORE.set("odd/question?x=1", "x")  # what follows the question mark is the query
    assert "odd/question" in STORE.list(prefix="odd/question")
    STORE.set("odd/hash#x", "x")
    assert "odd/hash" in STORE.list(prefix="odd/hash")
    STORE.set("odd/a/../b/./c", "x")  # the client takes the dots out
    assert "odd/b/c" in STORE.list(prefix="odd/b")


def check_empty_keys() -> None:
    equal(STORE.exists(""), False)
    for call in (STORE.get, STORE.delete):
        with fails(NotFoundError):
            call("")
    with fails(BadRequestError):
        STORE.set("", "x")


def check_signed_urls() -> None:
    url = STORE.get_upload_url("signed", storage_type="tmp", origin="anything", several=["a", "b"])
    assert url.isascii() if hasattr(url, "isascii") else url.encode("ascii")
    equal(url, url.strip())
    equal(requests.put(url, data=b"by url").status_code // 100, 2)
    equal(STORE.get("signed", storage_type="tmp"), b"by url")
    down = STORE.get_signed_url("signed", storage_type="tmp")
    equal(requests.get(down).content, b"by url")
    equal(requests.put(down, data=b"other").status_code, 403)
    equal(requests.get(url).status_code, 403)
    equal(requests.get(down.replace("key=signed", "key=greeting")).status_code, 403)
    equal(requests.get(STORE.get_signed_url("nothing-here")).status_code, 404)


def check_tokens_of_a_refresh_login() -> None:
    path = str(FOLDER / "token_info.json")
    auth = Auth(domain=f"{ENDPOINT}/iam", client_id=KEY, client_secret=SECRET, token_info_path=path)
    store = Storage(url=ROOT, auth=auth)
    store.set("refreshed", "x")
    first = auth.token
    equal(auth.payload["aud"], KEY)
    equal(json.loads(Path(path).read_text())["jwt_token"], first)
    again = Auth(domain=f"{ENDPOINT}/iam", client_id=KEY, client_secret=SECRET, token_info_path=path)
    equal(Storage(url=ROOT, auth=again).get("refreshed"), b"x")
    equal(again.token, first)


def check_a_wrong_secret_gets_no_token() -> None:
    path = str(FOLDER / "wrong.json")
    auth = Auth(domain=f"{ENDPOINT}/iam", client_id=KEY, client_secret="wrong", token_info_path=path)
    with fails(AuthError, ServerError):
        Storage(url=ROOT, auth=auth).get("x")


def check_tokens_of_nobody() -> None:
    """A token that the client takes for good, signed by somebody else."""
    head, payload, signature = token().split(".")
    forged = f"{head}.{payload}.{signature[::-1]}"
    store = Storage(url=ROOT, auth=auth_of(forged))
    with fails(ServerError) as caught:
        store.get("greeting")
    equal(caught[0].original_status, 401)


def check_retries_are_the_callers_choice() -> None:
    store = Storage(url=ROOT, auth=auth_of(token()), retries=Retry(total=1))
    store.set("retries", "x")
    equal(store.get("retries"), b"x")


checks.run(globals())
