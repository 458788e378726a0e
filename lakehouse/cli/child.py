# SPDX-License-Identifier: Apache-2.0
"""A server in a process of its own, for commands that need one for a while."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from lakehouse.core.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path

_URL = re.compile(r"listening on (http://\S+)")
_PATIENCE = 30.0


class ServerProcess:
    """`lakehouse serve` on a free port, with its output in a file of the data directory's.

    Raises StartupError, with what the server said, when it does not come up.
    """

    def __init__(self, data: Path, *, port: int, access_key_id: str, secret_access_key: str) -> None:
        self.log = data / "server.log"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  (our own command line)
                [sys.executable, "-P", "-m", "lakehouse", "serve", "--port", str(port), "--data", str(data)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ
                | {
                    "PYTHONUNBUFFERED": "1",
                    "LAKEHOUSE_ADMIN_ACCESS_KEY_ID": access_key_id,
                    "LAKEHOUSE_ADMIN_SECRET_ACCESS_KEY": secret_access_key,
                },
            )
        self.url = self._wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._process.terminate()
        try:
            self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> str:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            found = _URL.search(self.log.read_text(errors="replace"))
            if found:
                return found.group(1)
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        said = self.log.read_text(errors="replace").strip() or "nothing"
        raise StartupError(f"the server did not start; it said: {said}")
