# SPDX-License-Identifier: Apache-2.0
"""Sends requests of `Storage`: time limits, repeats, errors as exceptions.

Credentials go to the storage only, never along with a signed URL.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2

from lakehouse.sdk.kv.errors import ServerError, error_of
from lakehouse.sdk.retry import STATUSES, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lakehouse.sdk.kv.bodies import Body

DEFAULT = Retry(attempts=4, base=0.2)


class Transport:
    """One connection pool. `url` is the base of all requests; `identify` tells the headers that say who asks."""

    def __init__(
        self,
        http: httpx2.Client,
        *,
        url: str,
        identify: Callable[[], dict[str, str]],
        retry: Retry,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._url = url
        self._identify = identify
        self.retry = retry
        self.sleep = sleep

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        accept: Sequence[int] = (),
    ) -> httpx2.Response:
        """Send a request, again if it could not be answered now. Raises ClientError, ServerError, but for statuses in
        `accept`.

        A delete that was sent again and finds nothing has been done by the one whose answer was lost.
        """

        def send() -> httpx2.Response:
            return self._http.request(
                method, self._url + path, params=list(query) or None, headers={**self._identify(), **(headers or {})}
            )

        answer, attempts = self._repeated(send, repeatable=True)
        if answer.status_code == 404 and method == "DELETE" and attempts > 1:
            return answer
        return _checked(answer, accept)

    def put(self, url: str, body: Body) -> None:
        """PUT to a signed URL. Raises ClientError, ServerError."""

        def send() -> httpx2.Response:
            return self._http.put(url, content=body.again(), headers={"content-type": "application/octet-stream"})

        answer, _ = self._repeated(send, repeatable=body.repeatable)
        _checked(answer, ())

    @contextmanager
    def streamed(self, path: str) -> Iterator[Iterator[bytes]]:
        """The body of an answer as it comes. Raises ClientError, ServerError, also half-way."""

        def send() -> httpx2.Response:
            request = self._http.build_request("GET", self._url + path, headers=self._identify())
            answer = self._http.send(request, stream=True)
            if answer.status_code >= 400:
                answer.read()
            return answer

        answer, _ = self._repeated(send, repeatable=True)
        try:
            yield self._chunks(_checked(answer, ()))
        finally:
            answer.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _chunks(self, answer: httpx2.Response) -> Iterator[bytes]:
        try:
            yield from answer.iter_bytes()
        except httpx2.TransportError as error:
            raise ServerError(f"the answer was cut off: {error!r}") from error

    def _repeated(self, send: Callable[[], httpx2.Response], *, repeatable: bool) -> tuple[httpx2.Response, int]:
        """The first answer that settles it, and how many requests that took. Raises ServerError without an answer."""
        attempt = 0
        while True:
            attempt += 1
            more = repeatable and attempt < self.retry.attempts
            try:
                answer = send()
            except httpx2.TransportError as error:
                if not more:
                    raise ServerError(f"cannot reach {self._url}: {error!r}") from error
                self.sleep(self.retry.delay(attempt))
                continue
            if not more or answer.status_code not in STATUSES:
                return answer, attempt
            answer.close()
            self.sleep(self.retry.delay(attempt, retry_after=answer.headers.get("retry-after")))


def _checked(answer: httpx2.Response, accept: Sequence[int]) -> httpx2.Response:
    """The answer, if it is a good one."""
    if answer.status_code < 400 or answer.status_code in accept:
        return answer
    raise error_of(answer.status_code, answer.text, retry_after=answer.headers.get("retry-after"))
