# SPDX-License-Identifier: Apache-2.0
# environment: cli
# deep
"""The AWS command line: sync both ways, copies, presigned URLs, large files, removal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import checks
from checks import ENDPOINT, KEY, SECRET, equal, fresh


def new_repository() -> str:
    name = fresh("cli")
    status, _, body = checks.http("POST", "/repositories", body={"name": name})
    assert status == 201, body
    return name


def aws(*words: str, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "awscli", "--endpoint-url", ENDPOINT, *words],
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert bool(done.returncode) == fails, f"aws {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout + (done.stderr if fails else "")


def check_sync_both_ways() -> None:
    repository = new_repository()
    with tempfile.TemporaryDirectory() as folder:
        here, back = Path(folder, "here"), Path(folder, "back")
        for name in ("a.txt", "dir/b ü.txt", "dir/deep/c+d.txt"):
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        base = f"s3://{repository}/main/tree"
        equal(aws("s3", "sync", str(here), base).count("upload:"), 3)
        equal(aws("s3", "sync", str(here), base), "")
        (here / "a.txt").write_text("changed now")
        (here / "dir/b ü.txt").unlink()
        told = aws("s3", "sync", "--delete", str(here), base)
        equal((told.count("upload:"), told.count("delete:")), (1, 1))
        aws("s3", "sync", base, str(back))
        equal(sorted(str(p.relative_to(back)) for p in back.rglob("*") if p.is_file()), ["a.txt", "dir/deep/c+d.txt"])
        equal((back / "a.txt").read_text(), "changed now")
        aws("s3", "mv", f"{base}/a.txt", f"{base}/b.txt")
        assert "b.txt" in aws("s3", "ls", f"{base}/")
        aws("s3", "rm", "--recursive", base)
        aws("s3", "ls", f"{base}/", fails=True)
    assert "PRE main/" in aws("s3", "ls", f"s3://{repository}")
    assert repository in aws("s3", "ls")


def check_a_large_file_and_its_copy() -> None:
    """200 MB by default: CHECK_LARGE says otherwise."""
    size = int(os.environ.get("CHECK_LARGE", "200")) * 10**6
    repository = new_repository()
    with tempfile.TemporaryDirectory() as folder:
        data = os.urandom(10**6) * (size // 10**6)
        local, back = Path(folder, "large"), Path(folder, "back")
        local.write_bytes(data)
        aws("s3", "cp", "--quiet", str(local), f"s3://{repository}/main/large")
        aws("s3", "cp", "--quiet", f"s3://{repository}/main/large", f"s3://{repository}/main/copy")
        aws("s3", "cp", "--quiet", f"s3://{repository}/main/copy", str(back))
        assert back.read_bytes() == data
    head = json.loads(aws("s3api", "head-object", "--bucket", repository, "--key", "main/copy"))
    equal(head["ContentLength"], size)
    listed = aws("s3api", "list-multipart-uploads", "--bucket", repository)
    assert "Uploads" not in (json.loads(listed) if listed.strip() else {})


def check_presign() -> None:
    repository = new_repository()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x").write_text("presigned")
        aws("s3", "cp", f"{folder}/x", f"s3://{repository}/main/x y")
    url = aws("s3", "presign", f"s3://{repository}/main/x y").strip()
    equal(checks.http("GET", url, headers={"Authorization": ""})[2], b"presigned")


if __name__ == "__main__":
    checks.run(globals())
