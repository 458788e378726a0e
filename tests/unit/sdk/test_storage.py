# SPDX-License-Identifier: Apache-2.0
"""`Storage` has the documented interface, and sends, repeats and raises as it says."""

from __future__ import annotations

import inspect
import io
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from lakehouse.sdk import Retry, kv
from lakehouse.sdk.kv import Storage
from lakehouse.sdk.kv.errors import error_of
from lakehouse.sdk.kv.transport import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "http://lake.example/storage/v1"
NO = inspect.Parameter.empty
DATA = ("storage_type", "data")
DOCUMENTED: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "__init__": ([("url", None), ("auth", None), ("retries", None)], "None"),
    "delete": ([("key", NO), DATA], "None"),
    "exists": ([("key", NO), DATA], "bool"),
    "get": ([("key", NO), DATA], "str"),
    "get_file": ([("key", NO), ("file_obj", NO), DATA], "None"),
    "get_signed_url": ([("key", NO), DATA], "str"),
    "get_upload_url": ([("key", NO), DATA, ("kwargs", NO)], "str"),
    "iter_list": ([("prefix", None), DATA], "Generator[str, None, None]"),
    "list": ([("prefix", None), DATA], "builtins.list[str]"),
    "set": ([("key", NO), ("value", NO), DATA], "None"),
    "set_file": ([("key", NO), ("file_obj", NO), DATA], "None"),
}
"""Of each method: its parameters with their defaults, and what it returns."""


@pytest.mark.parametrize("name", DOCUMENTED)
def test_signatures_are_the_documented_ones(name: str) -> None:
    signature = inspect.signature(getattr(Storage, name))
    expected, result = DOCUMENTED[name]
    parameters = list(signature.parameters.values())[1:]
    assert [(one.name, one.default) for one in parameters] == expected
    kinds = {one.kind for one in parameters if one.name != "kwargs"}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if "kwargs" in signature.parameters:
        assert signature.parameters["kwargs"].kind is inspect.Parameter.VAR_KEYWORD
    assert signature.return_annotation == result


def test_nothing_is_missing_and_little_is_added() -> None:
    public = {name for name in vars(Storage) if not name.startswith("_")}
    assert public - set(DOCUMENTED) == {"TIMEOUT", "close"}
    assert Storage.TIMEOUT == (9.5, 120)
    for name in ("NotFoundError", "BadRequestError", "ConflictError", "RateLimitError", "GoneError", "ServerError"):
        assert name in kv.__all__


class Service:
    """Answers from a list, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.bodies: list[bytes] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        self.bodies.append(request.read())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(*answer)


def store_of(service: Callable[[httpx2.Request], httpx2.Response], retries: Any = None, auth: Any = "t.o.k") -> Storage:
    store = Storage(URL + "/", auth=auth, retries=retries)
    store.close()
    store._transport._http = httpx2.Client(transport=httpx2.MockTransport(service))
    store._transport.sleep = getattr(service, "waits", []).append
    return store


def ok(text: str = "", **headers: str) -> httpx2.Response:
    return httpx2.Response(200, text=text, headers=headers)


SIGNED = "http://store.example/put?signature=x"


def lost() -> Exception:
    return httpx2.ReadError("cut")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a b", "a%20b"),
        ("dir/file", "dir/file"),
        ("100%", "100%25"),
        ("pc%20t", "pc%2520t"),
        ("q?x=1", "q%3Fx%3D1"),
        ("h#frag", "h%23frag"),
        ("a/../b", "a/%2E%2E/b"),
        ("./x/..", "%2E/x/%2E%2E"),
        ("...", "..."),
        ("/lead", "/lead"),
        ("dd//x/", "dd//x/"),
        ("a+b", "a%2Bb"),
        ("\u00fc", "%C3%BC"),
        ("", ""),
    ],
)
def test_keys_are_sent_as_they_are(key: str, path: str) -> None:
    service = Service(ok("text"))
    assert store_of(service).get(key, "tmp") == "text"
    assert service.asked[0].url.raw_path == f"/storage/v1/tmp/get/{path}".encode()


def test_each_method_sends_what_the_service_knows() -> None:
    service = Service(ok(), ok(), ok("v"), ok("u"), ok("w"), ok('["a"]'), ok("[]"))
    store = store_of(service)
    store.delete("k")
    assert store.exists("k", storage_type="result")
    assert store.get("k") == "v"
    assert store.get_signed_url("k") == "u"
    assert store.get_upload_url("k", several=["a", 2], none=None, origin="o p") == "w"
    assert store.list() == ["a"]
    assert store.list(prefix="") == []
    assert [(one.method, one.url.raw_path.decode().removeprefix("/storage/v1")) for one in service.asked] == [
        ("DELETE", "/data/k"),
        ("HEAD", "/result/get/k"),
        ("GET", "/data/get/k"),
        ("GET", "/data/get_signed_url/k"),
        ("GET", "/data/new_resumable_url/k?several=a&several=2&origin=o+p"),
        ("GET", "/data/list"),
        ("GET", "/data/list?prefix="),
    ]
    assert {one.headers["authorization"] for one in service.asked} == {"Bearer t.o.k"}


def test_pages_are_asked_for_as_they_are_needed() -> None:
    service = Service(ok('["a", "b"]', **{"X-NEXT": "n1"}), ok("[]", **{"X-NEXT": "n2"}), ok('["c"]'))
    store = store_of(service)
    keys = store.iter_list("p")
    assert inspect.isgenerator(keys)
    assert service.asked == []
    assert next(keys) == "a"
    assert len(service.asked) == 1
    assert list(keys) == ["b", "c"]
    assert [one.headers.get("x-next") for one in service.asked] == [None, "n1", "n2"]
    assert {one.url.params["prefix"] for one in service.asked} == {"p"}


class Unseekable(io.RawIOBase):
    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:  # type: ignore[override]
        return self._content.read(size)


def at(file: Any, position: int) -> Any:
    file.seek(position)
    return file


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("h\u00e9llo", b"h\xc3\xa9llo"),
        ("", b""),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (io.BytesIO(b""), b""),
        (io.BytesIO(b"x" * 600_000), b"x" * 600_000),
        (at(io.BytesIO(b"012345"), 4), b"45"),
        (io.StringIO("h\u00e9llo \u4e16"), "h\u00e9llo \u4e16".encode()),
        (Unseekable(b"once"), b"once"),
        (iter([b"one ", b"", b"two"]), b"one two"),
        ([b"a", b"b"], b"ab"),
    ],
    ids=[
        "text",
        "no text",
        "bytes",
        "bytearray",
        "memoryview",
        "empty file",
        "large file",
        "from a position",
        "text file",
        "pipe",
        "iterator",
        "list",
    ],
)
def test_values_of_every_kind(value: Any, stored: bytes) -> None:
    service = Service(ok(SIGNED), ok())
    store_of(service).set("k", value)
    assert service.bodies[1] == stored
    assert str(service.asked[1].url) == SIGNED
    assert "authorization" not in service.asked[1].headers, "the URL says all; credentials stay here"


@pytest.mark.parametrize("value", [None, 7, {"a": "b"}, ...], ids=repr)
def test_what_is_no_value_is_said_before_anything_is_sent(value: Any) -> None:
    service = Service()
    with pytest.raises(TypeError, match="text, bytes or a file"):
        store_of(service).set("k", value)
    assert service.asked == []


def test_a_list_of_something_else_stores_nothing() -> None:
    with pytest.raises(TypeError, match="pieces are bytes"):
        store_of(Service(ok(SIGNED), ok())).set("k", [("a", "b")])


def test_files_by_name_and_by_object(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    service = Service(*[ok(SIGNED), ok()] * 3)
    store = store_of(service)
    store.set_file("k", str(source))
    store.set_file("k", source)
    with source.open("rb") as file:
        file.seek(3)
        store.set_file("k", file)
    assert service.bodies[1::2] == [b"content", b"content", b"tent"]
    with pytest.raises(FileNotFoundError):
        store.set_file("k", tmp_path / "absent")
    assert len(service.asked) == 6, "no URL is asked for a file that is not there"


def test_downloads(tmp_path: Path) -> None:
    target, taken = tmp_path / "target", io.BytesIO()
    target.write_bytes(b"old")
    store = store_of(Service(ok("new"), ok("new"), (404,), (404,)))
    store.get_file("k", str(target))
    assert target.read_bytes() == b"new"
    store.get_file("k", taken)
    assert taken.getvalue() == b"new"
    for name in ("absent", "target"):
        with pytest.raises(kv.NotFoundError):
            store.get_file("k", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert target.read_bytes() == b"new"


class Cut(httpx2.SyncByteStream):
    """A body that ends too early."""

    def __iter__(self):
        yield b"begi"
        raise httpx2.RemoteProtocolError("cut")


def test_a_download_that_is_cut_off_is_begun_again(tmp_path: Path) -> None:
    service = Service(httpx2.Response(200, stream=Cut()), ok("beginning"))
    store_of(service).get_file("k", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "beginning"
    assert len(service.waits) == 1


def test_a_download_that_stays_cut_off_leaves_no_file(tmp_path: Path) -> None:
    store = store_of(Service(*[httpx2.Response(200, stream=Cut()) for _ in range(9)]), retries=2)
    with pytest.raises(kv.ServerError, match="cut off"):
        store.get_file("k", tmp_path / "target")
    assert list(tmp_path.iterdir()) == []
    taken = io.BytesIO()
    with pytest.raises(kv.ServerError, match="cut off"):
        store.get_file("k", taken)  # what was written to somebody's file cannot be taken back: once, then


def test_text_that_is_none_names_the_way_out() -> None:
    with pytest.raises(ValueError, match="get_file"):
        store_of(Service(httpx2.Response(200, content=b"\xff\xfe"))).get("k")


def test_a_page_that_is_none() -> None:
    with pytest.raises(kv.ServerError, match="no list of keys"):
        store_of(Service(ok("<html>"))).list()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, kv.BadRequestError),
        (401, kv.AuthError),
        (403, kv.ForbiddenError),
        (404, kv.NotFoundError),
        (407, kv.ProxyAuthenticationRequiredError),
        (409, kv.ConflictError),
        (410, kv.GoneError),
        (418, kv.ClientError),
        (422, kv.BadRequestError),
        (429, kv.RateLimitError),
        (500, kv.ServerError),
        (504, kv.GatewayTimeoutError),
        (507, kv.ServerError),
    ],
)
def test_errors_by_status(status: int, kind: type[Exception]) -> None:
    answers = [httpx2.Response(status, text="what is wrong", headers={"retry-after": "7"}) for _ in range(9)]
    with pytest.raises(kind, match="what is wrong") as caught:
        store_of(Service(*answers)).get("k")
    assert type(caught.value) is kind
    known = getattr(caught.value, "status", None) or getattr(caught.value, "original_status", None)
    assert known == status
    if status == 429:
        assert caught.value.retry_after == "7"
    assert str(error_of(status, "")) == f"status {status}"


def test_what_cannot_be_answered_now_is_asked_again() -> None:
    service = Service(httpx2.Response(503, headers={"retry-after": "3"}), lost(), (429,), ok("v"))
    assert store_of(service).get("k") == "v"
    assert len(service.waits) == 3
    assert service.waits[0] >= 3
    assert max(service.waits) <= DEFAULT.cap


def test_a_value_is_sent_again_whole() -> None:
    service = Service(ok(SIGNED), (503,), lost(), ok())
    store_of(service).set("k", at(io.BytesIO(b"012345"), 2))
    assert service.bodies[1:] == [b"2345"] * 3


def test_what_can_be_read_once_is_sent_once() -> None:
    for value in (Unseekable(b"x"), iter([b"x"])):
        service = Service(ok(SIGNED), (503,))
        with pytest.raises(kv.ServerError):
            store_of(service).set("k", value)
        assert len(service.asked) == 2


def test_a_delete_whose_answer_was_lost_is_done() -> None:
    store_of(Service(lost(), (404,))).delete("k")
    with pytest.raises(kv.NotFoundError):
        store_of(Service((404,))).delete("k")


def test_nobody_at_home() -> None:
    service = Service(*[lost() for _ in range(DEFAULT.attempts)])
    with pytest.raises(kv.ServerError, match=r"cannot reach http://lake.example/storage/v1") as caught:
        store_of(service).exists("k")
    assert caught.value.original_status == 0


class Total:
    total = 1


@pytest.mark.parametrize(("retries", "times"), [(0, 1), (2, 3), (Retry(attempts=2), 2), (Total(), 2), (None, 4)])
def test_retries(retries: Any, times: int) -> None:
    service = Service(*[httpx2.Response(503)] * 9)
    with pytest.raises(kv.ServerError):
        store_of(service, retries=retries).get("k")
    assert len(service.asked) == times


@pytest.mark.parametrize("retries", [-1, True, "3", 1.5])
def test_retries_that_are_none(retries: Any) -> None:
    with pytest.raises(TypeError, match="retries"):
        Storage(URL, auth="t", retries=retries)


class Login:
    """A token that changes."""

    def __init__(self) -> None:
        self.tokens = ["one", "two"]

    @property
    def token(self) -> str:
        return self.tokens.pop(0)


def test_who_asks() -> None:
    service = Service(ok(), ok(), ok())
    store = store_of(service, auth=Login())
    store.exists("k")
    store.exists("k")
    store_of(service, auth=("key", "secret")).exists("k")
    sent = [one.headers["authorization"] for one in service.asked]
    assert sent == ["Bearer one", "Bearer two", "Basic a2V5OnNlY3JldA=="]


NAMES = ("ENDPOINT", "URL", "TOKEN", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of nobody."""
    for name in NAMES:
        monkeypatch.delenv(f"LAKEHOUSE_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def known(store: Storage) -> tuple[str, str]:
    store.close()
    return store._transport._url, store._transport._identify()["authorization"]


def test_who_is_logged_in_by_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("LAKEHOUSE_SECRET_ACCESS_KEY", "secret")
    assert known(Storage()) == ("http://127.0.0.1:8000/storage/v1", "Basic a2V5OnNlY3JldA==")
    monkeypatch.setenv("LAKEHOUSE_ENDPOINT", "http://lake.example:9000/api/v1/")
    monkeypatch.setenv("LAKEHOUSE_TOKEN", "t.o.k")
    assert known(Storage()) == ("http://lake.example:9000/storage/v1", "Bearer t.o.k")
    assert known(Storage(URL, auth="other")) == (URL, "Bearer other")


def test_who_is_logged_in_by_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / ".lakectl.yaml"
    file.write_text(
        "credentials:\n  access_key_id: key\n  secret_access_key: secret\n"
        "server:\n  endpoint_url: http://lake.example/api/v1\n"
    )
    assert known(Storage()) == ("http://lake.example/storage/v1", "Basic a2V5OnNlY3JldA==")
    monkeypatch.setenv("LAKEHOUSE_ACCESS_KEY_ID", "half")
    with pytest.raises(kv.AuthError, match="nobody is logged in"):
        Storage()


@pytest.mark.parametrize("content", [None, "", "- a", "credentials: x", "credentials: {access_key_id: a}"])
def test_nobody_is_logged_in(home: Path, content: str | None) -> None:
    if content is not None:
        (home / ".lakectl.yaml").write_text(content)
    with pytest.raises(kv.AuthError, match="nobody is logged in"):
        Storage()


def test_a_file_that_cannot_be_read(home: Path) -> None:
    (home / ".lakectl.yaml").write_text("{")
    with pytest.raises(kv.AuthError, match="cannot be read"):
        Storage(URL)
