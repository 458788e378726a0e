# SPDX-License-Identifier: Apache-2.0
"""`Storage`: the documented interface of Descartes Labs Storage, method by method.

Names, parameters, defaults and results are those of its documentation. Where the published client does otherwise, this
one does as is written: keys are sent as they are, text is UTF-8 wherever it comes from, a download that fails leaves no
file behind, and what can never work is said before anything is sent.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import httpx2
import msgspec

from lakehouse.sdk.kv.bodies import Body, body_of
from lakehouse.sdk.kv.errors import ServerError
from lakehouse.sdk.kv.login import headers_for, storage_url
from lakehouse.sdk.kv.transport import DEFAULT, Transport
from lakehouse.sdk.retry import Retry
from lakehouse.wire.kv import NEXT

if TYPE_CHECKING:
    import builtins
    from collections.abc import Generator
    from types import TracebackType
    from typing import Self

    from lakehouse.sdk.kv.bodies import Value
    from lakehouse.sdk.kv.login import Auth

_DOTS = frozenset({".", ".."})


class Storage:
    """Values of an account, by key and storage type (`data`, `tmp` or `result`).

    `url` is that of the service, such as `http://127.0.0.1:8000/storage/v1`. `auth`: a token, an access key id with its
    secret, or an object with a `token`. What is not given is that of whoever is logged in on this machine
    (`lakehouse.sdk.kv.login`). `retries`: a `lakehouse.sdk.Retry`, or how often a request is sent again.

    May be used by several threads, and as a context manager. Methods raise ClientError and ServerError.
    """

    TIMEOUT: ClassVar[tuple[float, float]] = (9.5, 120)
    """Seconds: to connect, and between two reads."""

    def __init__(self, url: str | None = None, auth: Auth = None, retries: Retry | int | None = None) -> None:
        connect, read = self.TIMEOUT
        self._transport = Transport(
            httpx2.Client(timeout=httpx2.Timeout(read, connect=connect)),
            url=storage_url(url),
            identify=headers_for(auth),
            retry=_retry(retries),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._transport.close()

    def delete(self, key: str, storage_type: str = "data") -> None:
        """Delete the value of a key. Raises NotFoundError when there is none."""
        self._transport.ask("DELETE", key_path(storage_type, key))

    def exists(self, key: str, storage_type: str = "data") -> bool:
        """Whether a key has a value."""
        answer = self._transport.ask("HEAD", key_path(storage_type, key, word="get"), accept=(404,))
        return answer.status_code != 404

    def get(self, key: str, storage_type: str = "data") -> str:
        """The value of a key, which must be text. Raises NotFoundError; ValueError for bytes that are no UTF-8."""
        content = self._transport.ask("GET", key_path(storage_type, key, word="get")).content
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"the value of {key!r} is not text (no UTF-8 at byte {error.start}): take its bytes with get_file"
            ) from error

    def get_file(self, key: str, file_obj: str | os.PathLike[str] | IO[bytes], storage_type: str = "data") -> None:
        """Write the value of a key to a file: a name, or an object that takes bytes. Streamed.

        A file by name is there whole or not at all. Raises NotFoundError.
        """
        path = key_path(storage_type, key, word="get")
        if isinstance(file_obj, str | os.PathLike):
            target = Path(file_obj)
            if target.exists() and not target.is_file():  # a pipe or a device is written to, not replaced
                with target.open("wb") as file:
                    self._to_file(path, file)
            else:
                self._to_name(path, target.resolve())
        else:
            self._to_file(path, file_obj)

    def get_signed_url(self, key: str, storage_type: str = "data") -> str:
        """A URL that allows everybody who has it to download the value, for a while."""
        return self._transport.ask("GET", key_path(storage_type, key, word="get_signed_url")).text

    def get_upload_url(self, key: str, storage_type: str = "data", **kwargs: Any) -> str:
        """A URL that allows everybody who has it to PUT a value, for a while. `kwargs` travel as query parameters."""
        query = [
            (name, str(one))
            for name, value in kwargs.items()
            if value is not None
            for one in (value if isinstance(value, list | tuple) else (value,))
        ]
        return self._transport.ask("GET", key_path(storage_type, key, word="new_resumable_url"), query=query).text

    def iter_list(self, prefix: str | None = None, storage_type: str = "data") -> Generator[str, None, None]:
        """All keys that begin with `prefix`, in order; pages are asked for as they are needed."""
        following: str | None = ""
        while following is not None:
            answer = self._page(prefix, storage_type, following)
            yield from _keys(answer)
            following = answer.headers.get(NEXT)

    def list(self, prefix: str | None = None, storage_type: str = "data") -> builtins.list[str]:
        """The first 1,000 keys that begin with `prefix`, in order."""
        return _keys(self._page(prefix, storage_type, ""))

    def set(self, key: str, value: Value, storage_type: str = "data") -> None:
        """Store a value: text, bytes, or a file of either. It is there whole or not at all."""
        self._send(key, body_of(value), storage_type)

    def set_file(self, key: str, file_obj: str | os.PathLike[str] | IO[Any], storage_type: str = "data") -> None:
        """Store what is in a file: a name, or an open one, from where it stands."""
        if isinstance(file_obj, str | os.PathLike):
            with Path(file_obj).open("rb") as file:
                self._send(key, body_of(file), storage_type)
        else:
            self._send(key, body_of(file_obj), storage_type)

    def _send(self, key: str, body: Body, storage_type: str) -> None:
        self._transport.put(self.get_upload_url(key, storage_type), body)

    def _page(self, prefix: str | None, storage_type: str, following: str) -> httpx2.Response:
        return self._transport.ask(
            "GET",
            f"/{quote(storage_type, safe='')}/list",
            query=() if prefix is None else (("prefix", prefix),),
            headers={NEXT: following} if following else {},
        )

    def _to_name(self, path: str, target: Path) -> None:
        """Through a file beside it, again if the answer is cut off."""
        beside = target.with_name(f"{target.name[:200]}.{secrets.token_hex(4)}.part")
        retry, attempt = self._transport.retry, 1
        try:
            while True:
                try:
                    with self._transport.streamed(path) as chunks, beside.open("wb") as file:
                        file.writelines(chunks)
                    break
                except ServerError as error:
                    if error.original_status or attempt >= retry.attempts:
                        raise
                    self._transport.sleep(retry.delay(attempt))
                    attempt += 1
            beside.replace(target)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()

    def _to_file(self, path: str, file: IO[bytes]) -> None:
        with self._transport.streamed(path) as chunks:
            for chunk in chunks:
                file.write(chunk)


def key_path(storage_type: str, key: str, *, word: str = "") -> str:
    """The path of a key: slashes stay as they are, and dots that would be a way up are encoded."""
    segments = [quote(part, safe="") if part not in _DOTS else part.replace(".", "%2E") for part in key.split("/")]
    middle = f"/{word}" if word else ""
    return f"/{quote(storage_type, safe='')}{middle}/{'/'.join(segments)}"


def _keys(answer: httpx2.Response) -> list[str]:
    """The keys of a page. Raises ServerError when it is none."""
    try:
        return msgspec.json.decode(answer.content, type=list[str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(
            f"the answer is no list of keys ({error}); is the URL right?", status=answer.status_code
        ) from error


def _retry(retries: Any) -> Retry:
    """A policy of ours, a number of repeats, or an object with such a number in `total`."""
    if retries is None:
        return DEFAULT
    if isinstance(retries, Retry):
        return retries
    total = retries if isinstance(retries, int) else getattr(retries, "total", None)
    if isinstance(total, bool) or not isinstance(total, int) or total < 0:
        raise TypeError("retries: a lakehouse.sdk.Retry, or how often to send a request again")
    return Retry(attempts=total + 1, base=DEFAULT.base, cap=DEFAULT.cap)
