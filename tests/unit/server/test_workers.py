# SPDX-License-Identifier: Apache-2.0
"""The server's life: readiness, an orderly end, dead workers, failures to start. Each runs in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from lakehouse.config.model import Config
from lakehouse.core.errors import PortInUse, StartupError
from lakehouse.server.workers import listen, url_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = r"""
import asyncio, os, sys
from lakehouse.config.model import Config
from lakehouse.core.errors import StartupError
from lakehouse.server.workers import listen, serve, url_of

mode, workers = sys.argv[1], int(sys.argv[2])

def factory(config):
    if mode == "factory":
        raise StartupError("the factory failed")
    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            if mode == "lifespan":
                raise StartupError("the start failed")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            os.write(1, b"stopped\n")
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/die":
            os.kill(os.getpid(), 9)
        body = str(os.getpid()).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        if scope["path"] == "/slow":
            await send({"type": "http.response.body", "body": b"", "more_body": True})  # the head goes with it
            print("begun", flush=True)
            while not os.path.exists(sys.argv[3]):
                await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": body})
    return application

config = Config(port=0, workers=workers)
bound = listen(config)
try:
    serve(config, bound, factory=factory, on_ready=lambda: print(url_of(bound), flush=True))
except StartupError as error:
    print(f"refused: {error}", flush=True)
    sys.exit(1)
print("ended", flush=True)
"""


class Running:
    """The program above, in a process of its own."""

    def __init__(self, mode: str, workers: int, go: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, mode, str(workers), go],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def finish(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def running() -> Iterator[list[Running]]:
    started: list[Running] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate(timeout=30)


def ask(url: str) -> int:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return int(answer.read())


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_ends_in_order(running: list[Running], workers: int, number: signal.Signals) -> None:
    server = Running("serve", workers)
    running.append(server)
    assert ask(server.line()) > 0
    server.process.send_signal(number)
    code, out, err = server.finish()
    assert (code, err) == (0, "")
    assert out.split() == ["stopped"] * workers + ["ended"]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_being_answered_is_finished(running: list[Running], workers: int, tmp_path: Path) -> None:
    go = tmp_path / "go"
    server = Running("serve", workers, str(go))
    running.append(server)
    with urllib.request.urlopen(f"{server.line()}/slow", timeout=20) as answer:
        assert server.line() == "begun"
        server.process.terminate()
        go.touch()
        assert int(answer.read()) > 0
    assert server.finish()[0] == 0


def test_a_dead_worker_is_replaced(running: list[Running]) -> None:
    server = Running("serve", 2)
    running.append(server)
    url = server.line()
    dead = set()
    for _ in range(3):
        dead.add(ask(url))
        with pytest.raises((urllib.error.URLError, OSError)):
            ask(f"{url}/die")
    assert ask(url) > 0
    server.process.terminate()
    assert server.finish()[0] == 0


def test_workers_do_not_outlive_their_parent(running: list[Running]) -> None:
    server = Running("serve", 2)
    running.append(server)
    assert ask(server.line()) > 0
    server.process.kill()
    code, out, _ = server.finish()  # returns when the last process that holds the pipe has ended
    assert code == -signal.SIGKILL
    assert out.split() == ["stopped"] * 2


@pytest.mark.parametrize("mode", ["factory", "lifespan"])
def test_a_start_that_fails_is_said(running: list[Running], mode: str) -> None:
    server = Running(mode, 1)
    running.append(server)
    code, out, err = server.finish()
    assert code == 1
    assert out.strip() == f"refused: the {'factory' if mode == 'factory' else 'start'} failed"
    assert "Traceback" not in err


def test_workers_that_cannot_start_end_the_server(running: list[Running]) -> None:
    server = Running("factory", 2)
    running.append(server)
    code, out, err = server.finish()
    assert code == 1
    assert out.startswith("refused: a worker did not start")
    assert "lakehouse: the factory failed" in err


def test_a_port_in_use() -> None:
    with listen(Config(port=0)) as bound:
        port = bound.getsockname()[1]
        assert url_of(bound) == f"http://127.0.0.1:{port}"
        with pytest.raises(PortInUse, match=str(port)):
            listen(Config(port=port))


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(StartupError, match="cannot listen on 192"):
        listen(Config(host="192.0.2.1", port=0))


def test_all_addresses_are_reached_by_loopback() -> None:
    with listen(Config(host="0.0.0.0", port=0)) as bound:
        assert url_of(bound).startswith("http://127.0.0.1:")
