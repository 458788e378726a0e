# SPDX-License-Identifier: Apache-2.0
"""A real server in a process of its own: started on a free port, watched, stopped. Nothing of it outlives the test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# The form that the server itself makes, so that clients which look at the form accept it.
KEY = "AKIAJTESTTESTTESTTEQ"
SECRET = "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"
URL = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\]):\d+")


class RunningServer:
    """A server process: `url` without a slash at its end, the administrator's pair, and all it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.key = KEY
        self.secret = SECRET
        self.url = ""
        self.lines: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Take what the server prints, to the end: a full pipe would stop it."""
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line)
                found = URL.search(line)
                if found and not self.url:
                    self.url = found.group()
                    self._listening.set()
        self._listening.set()

    def wait_until_ready(self, *, seconds: float) -> None:
        """Return when the server answers. Raises RuntimeError with its output when it ends or is silent that long."""
        said_where = self._listening.wait(seconds)
        try:
            if not said_where or not self.url:
                raise RuntimeError("it never said where it listens")
            with urllib.request.urlopen(f"{self.url}/_health", timeout=seconds) as answer:
                answer.read()
        except (RuntimeError, urllib.error.URLError) as error:
            raise RuntimeError(f"the server did not start: {error}\n{self.output}") from error

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def stop(self) -> int:
        """Ask the server to end, and return its exit status."""
        self.process.terminate()
        return self._ended()

    def kill(self) -> int:
        """End the server at once, as a power cut would."""
        self.process.kill()
        return self._ended()

    def _ended(self) -> int:
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._reader.join(timeout=30)
        return status


def start_server(
    data: Path, *options: str, environment: Mapping[str, str] | None = None, command: str = "serve"
) -> RunningServer:
    """Start `lakehouse serve` (or `store`) on a free port with its data in `data`; return when it answers."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "AWS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "lakehouse", command, "--port", "0", "--data", str(data), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "LAKEHOUSE_ADMIN_ACCESS_KEY_ID": KEY,
            "LAKEHOUSE_ADMIN_SECRET_ACCESS_KEY": SECRET,
            **(environment or {}),
        },
    )
    server = RunningServer(process)
    try:
        server.wait_until_ready(seconds=30)
    except BaseException:
        server.kill()
        raise
    return server


@contextmanager
def running_server(data: Path, *options: str) -> Iterator[RunningServer]:
    """A server for as long as the block lasts. Fails the block when the server ended by itself or badly."""
    server = start_server(data, *options)
    try:
        yield server
    except BaseException:
        server.kill()
        raise
    status = server.stop()
    assert status in (0, -15), f"the server ended with {status}:\n{server.output}"
