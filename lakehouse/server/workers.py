# SPDX-License-Identifier: Apache-2.0
"""Running the server: the socket, the worker processes, and an orderly end.

The socket is bound before anything else starts, so that a port in use is said at once, and all workers share it. A
worker that dies is replaced. SIGTERM and SIGINT end everything: no new connections, and what is being answered is
finished first, for `shutdown_timeout` at most.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import time
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from lakehouse.core.errors import PortInUse, StartupError
from lakehouse.server.protocol import HttpProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from types import FrameType

    from lakehouse.config.model import Config

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]
    Factory = Callable[[Config], Application]

APPLICATION = "lakehouse.server.app:create_app"
BACKLOG = 2048
ENDED = (signal.SIGTERM, signal.SIGINT)
QUICK_DEATH = 5.0
"""A worker that lives no longer than this many seconds did not really start."""
MOST_QUICK_DEATHS = 5


def listen(config: Config) -> socket.socket:
    """The listening socket. Raises PortInUse, and StartupError for addresses that are not ours."""
    host, port = config.host, config.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartupError(f"cannot listen on {host}: {error.strerror}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host} is in use: stop what listens there, or choose another with --port"
            ) from error
        raise StartupError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    bound.set_inheritable(True)
    return bound


def url_of(bound: socket.socket) -> str:
    """Where clients on this machine reach the socket."""
    host, port = bound.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        host = "127.0.0.1" if bound.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    config: Config,
    bound: socket.socket,
    *,
    factory: Factory | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve on `bound` until SIGTERM or SIGINT, with `config.workers` processes. Call it from the main thread.

    `factory` makes the ASGI application in each worker (by default the whole server); `on_ready` is called once, when
    the first request can be answered. Raises StartupError, also what `factory` or the application's start raise.
    """
    make = _application if factory is None else factory
    with _orderly(bound) as asked:
        if config.workers == 1:
            _work(config, bound, make, on_ready=on_ready, asked=asked)
        else:
            Supervisor(config, bound, make).run(on_ready)


def _application(config: Config) -> Application:
    module, _, name = APPLICATION.partition(":")
    return cast("Application", getattr(import_module(module), name)(config))


@contextmanager
def _orderly(bound: socket.socket) -> Iterator[list[int]]:
    """Keep the signals that end us from ending us before all is done; close the socket at the end.

    Yields the list of the signals that came while nobody else listened for them.
    """
    asked: list[int] = []
    before = {number: signal.signal(number, lambda came, _: asked.append(came)) for number in ENDED}
    try:
        yield asked
    finally:
        bound.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(
    config: Config, bound: socket.socket, make: Factory, *, on_ready: Callable[[], None], asked: list[int]
) -> None:
    """One worker's whole life. A signal in `asked` ends it as soon as it has started."""
    application = Watched(make(config))
    server = _Server(
        uvicorn.Config(
            application,
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            http=HttpProtocol,
            interface="asgi3",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=max(1, round(config.shutdown_timeout)),
        ),
        on_ready=on_ready,
        asked=asked,
    )
    with suppress(SystemExit):  # how uvicorn says that the application did not start
        server.run(sockets=[bound])
    if application.failure is not None:
        raise application.failure
    if not server.started:
        raise StartupError("the server did not start: its log says why")


class _Server(uvicorn.Server):
    """A server that says when it is ready, and heeds signals that came before it listened for them."""

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None], asked: list[int]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._asked = asked

    async def main_loop(self) -> None:
        self._on_ready()
        if self._asked:
            self.should_exit = True
        await super().main_loop()


class Watched:
    """An application whose failure to start is kept, instead of being logged as a stack of lines."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.failure: StartupError | None = None

    def __call__(self, scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "lifespan":
            return self._application(scope, receive, send)
        return self._live(scope, receive, send)

    async def _live(self, scope: Message, receive: Receive, send: Send) -> None:
        failed: list[Message] = []

        async def hold_back(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._application(scope, receive, hold_back)
        except StartupError as error:
            self.failure = error
            failed = [{"type": "lifespan.startup.failed", "message": ""}]
        finally:
            for message in failed[:1]:
                await send(message)


class Supervisor:
    """The parent of several workers: starts them, replaces those that die, ends them all."""

    def __init__(self, config: Config, bound: socket.socket, make: Factory) -> None:
        self._config = config
        self._bound = bound
        self._make = make
        self._workers: dict[int, float] = {}
        self._ending = False
        self._life, self._hold = os.pipe()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Until SIGTERM or SIGINT. Raises StartupError when workers die as soon as they start."""
        for number in ENDED:
            signal.signal(number, self._end)
        pipes = [self._spawn() for _ in range(self._config.workers)]
        ready = [_first_byte(pipe) for pipe in pipes]
        if all(ready) and not self._ending:
            on_ready()
        failed = not (all(ready) or self._ending)
        if failed:
            self._end()
        failed = self._watch() or failed
        if failed:
            raise StartupError("a worker did not start; what it said stands above")

    def _watch(self) -> bool:
        """Wait for workers, and replace them until the end. True when that was in vain."""
        quick = 0
        while self._workers:
            pid, _ = os.wait()
            born = self._workers.pop(pid, None)
            if born is None or self._ending:
                continue
            quick = quick + 1 if time.monotonic() - born < QUICK_DEATH else 0
            if quick >= MOST_QUICK_DEATHS:
                self._end()
                return True
            os.close(self._spawn())
        return False

    def _spawn(self) -> int:
        """Start a worker; the pipe that it writes one byte to when it is ready."""
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDED)  # until the child has handlers of its own, and we know its id
        pid = os.fork()
        if pid:
            os.close(writing)
            self._workers[pid] = time.monotonic()
            if self._ending:
                os.kill(pid, signal.SIGTERM)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDED)
            return reading
        code = 1
        try:
            os.close(reading)
            os.close(self._hold)
            code = self._worker(writing)
        finally:
            os._exit(code)  # whatever happens, a child never returns into the parent's code

    def _worker(self, writing: int) -> int:
        asked: list[int] = []
        for number in ENDED:
            signal.signal(number, lambda came, _: asked.append(came))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDED)
        Thread(target=self._outlive, name="parent watch", daemon=True).start()

        def ready() -> None:
            with suppress(BrokenPipeError):  # a replacement's readiness is waited for by nobody
                os.write(writing, b"1")
            os.close(writing)

        try:
            _work(self._config, self._bound, self._make, on_ready=ready, asked=asked)
        except StartupError as error:
            sys.stderr.write(f"lakehouse: {error}\n")
            return 1
        except BaseException:  # noqa: BLE001  (nothing may leave a forked child but its exit code)
            sys.excepthook(*sys.exc_info())
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return 0

    def _outlive(self) -> None:
        """End this worker when the parent is gone: only the parent holds the other end of this pipe."""
        os.read(self._life, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _end(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._ending = True
        for pid in tuple(self._workers):
            with suppress(ProcessLookupError):  # it has just ended, and is about to be taken from the list
                os.kill(pid, signal.SIGTERM)


def _first_byte(pipe: int) -> bool:
    """Whether a worker said that it is ready, before it ended."""
    with open(pipe, "rb") as file:
        return file.read(1) == b"1"
