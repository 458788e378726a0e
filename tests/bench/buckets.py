# SPDX-License-Identifier: Apache-2.0
"""Buckets: what credentials cost, and folders and large files both ways, beside `aws s3 cp` of the same.

    python -m tests.bench.buckets [--files 10000] [--mib 1024] [--aws /path/to/aws]

Each transfer runs in a process of its own, so that its CPU and the most memory it had are its own. The two programs go
to the same server, one after the other, each to an empty place.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from lakehouse.sdk.buckets import URL, BucketsClient
from tests.bench.load import cpu_seconds, measure
from tests.running import KEY, SECRET, RunningServer, running_server

SMALL = 4096
FOLDERS = 20
MIB = 2**20


async def move(url: str, direction: str, local: str, remote: str) -> None:
    """One transfer by our own client."""
    here, there = URL(Path(local).as_uri()), URL(remote)
    async with BucketsClient(url, access_key_id=KEY, secret_access_key=SECRET) as client:
        match direction, Path(local).is_file() or direction == "down-file":
            case "up", True:
                await client.buckets.upload_file(here, there)
            case "up", False:
                await client.buckets.upload_dir(here, there)
            case "down", _:
                await client.buckets.download_dir(there, here)
            case _:
                await client.buckets.download_file(there, here)


def run(server: RunningServer, name: str, command: list[str], *, files: int, size: int) -> None:
    """Run a transfer and print what it took."""
    before = cpu_seconds(server.process.pid)
    started = time.perf_counter()
    child = subprocess.Popen(
        command,
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        },
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    served = cpu_seconds(server.process.pid) - before
    if status:
        raise SystemExit(f"{name} failed: {command}")
    print(
        f"{name:<28}{wall:>8.1f} s {files / wall:>8,.0f} files/s {size / wall / MIB:>8,.0f} MiB/s  client "
        f"{used.ru_utime + used.ru_stime:>6.1f} s CPU {used.ru_maxrss / 1024:>5,.0f} MiB   server {served:>6.1f} s CPU",
        flush=True,
    )


def transfers(server: RunningServer, folder: Path, bucket: str, *, files: int, mib: int, aws: str | None) -> None:
    """A folder of small files, and one large file: up and down, by both."""
    small, large = folder / "small", folder / "large"
    for number in range(files):
        path = small / f"{number % FOLDERS:02}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SMALL))
    with large.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
    ours = [sys.executable, "-m", "tests.bench.buckets", "--move", server.url]
    theirs = [aws, "s3", "cp", "--quiet", "--endpoint-url", f"{server.url}/s3"] if aws else []
    for what, source, count, size in (("small", small, files, files * SMALL), ("large", large, 1, mib * MIB)):
        up, down = ("up", "down") if what == "small" else ("up", "down-file")
        where = f"blob:{bucket}/ours/{what}"
        again = ["--recursive"] if what == "small" else []
        run(server, f"up, {what}, ours", [*ours, up, str(source), where], files=count, size=size)
        if theirs:
            target = f"s3://{bucket}/aws/{what}"
            run(server, f"up, {what}, aws", [*theirs, *again, str(source), target], files=count, size=size)
        back = folder / f"back-{what}"
        run(server, f"down, {what}, ours", [*ours, down, str(back), where], files=count, size=size)
        if theirs:
            other = folder / f"aws-{what}"
            run(server, f"down, {what}, aws", [*theirs, *again, target, str(other)], files=count, size=size)


async def prepared(url: str, bucket: str) -> tuple[str, str]:
    """Make the bucket; its id, and a login token."""
    async with BucketsClient(url, access_key_id=KEY, secret_access_key=SECRET) as client:
        made = await client.buckets.create(bucket)
        answer = await client._http.post(
            f"{url}/api/v1/auth/login", json={"access_key_id": KEY, "secret_access_key": SECRET}
        )
        return made.id, json.loads(answer.content)["token"]


def minting(server: RunningServer, identifier: str, token: str, seconds: float) -> None:
    """Requests for credentials and signed URLs, one client after the other and eight together."""
    host = urlsplit(server.url)
    for what, body in (("make_tmp_credentials", b""), ("sign_blob_url", b'{"key":"a/b","expires_in_sec":3600}')):
        lines = [
            f"POST /neuro/api/v1/buckets/{identifier}/{what} HTTP/1.1",
            f"host: {host.netloc}",
            f"authorization: Bearer {token}",
            f"content-length: {len(body)}",
        ]
        request = "\r\n".join([*lines, "", ""]).encode() + body
        for clients in (1, 8):
            found = measure(
                host.port or 80,
                [server.process.pid],
                lambda _, request=request: iter(lambda: request, None),
                clients=clients,
                seconds=seconds,
            )
            print(
                f"{what:<28}{clients:>3} clients {found.rate:>8,.0f}/s {found.cpu * 1e6:>6.0f} us CPU "
                f"p50 {found.p50 * 1e3:>6.2f} ms p99 {found.p99 * 1e3:>6.2f} ms"
                + (f"   FAILED {found.failures}: {found.example}" if found.failures else ""),
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=int(os.environ.get("LAKEHOUSE_BENCH_FILES", "10000")))
    parser.add_argument("--mib", type=int, default=int(os.environ.get("LAKEHOUSE_BENCH_MIB", "1024")))
    parser.add_argument("--aws", default=shutil.which("aws"))
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--move", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.move:
        asyncio.run(move(*given.move))
        return
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder) / "lake") as server:
        identifier, token = asyncio.run(prepared(server.url, "bench"))
        minting(server, identifier, token, given.seconds)
        transfers(server, Path(folder), "bench", files=given.files, mib=given.mib, aws=given.aws)


if __name__ == "__main__":
    main()
