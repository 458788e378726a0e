# SPDX-License-Identifier: Apache-2.0
# environment: rclone
"""rclone: copies, syncs, checks, large files, moves and removal, with and without branches in the keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import checks
from checks import ENDPOINT, KEY, SECRET, equal, fresh

RCLONE = Path(sys.executable).with_name("rclone")
MIB = 2**20


def new_repository(*, plain: bool) -> str:
    """A repository; what its paths begin with for rclone."""
    name = fresh("rclone")
    body = {"name": name, "metadata": {"lakehouse.plain": "true" if plain else "false"}}
    status, _, told = checks.http("POST", "/repositories", body=body)
    assert status == 201, told
    return name if plain else f"{name}/main"


def rclone(*words: str, root: str = "", stdin: bytes | None = None) -> str:
    settings = {
        "TYPE": "s3", "PROVIDER": "Other", "ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET,
        "ENDPOINT": ENDPOINT + root, "REGION": "us-east-1", "UPLOAD_CUTOFF": "5Mi", "CHUNK_SIZE": "5Mi",
    }  # fmt: skip
    done = subprocess.run(
        [str(RCLONE), "--config", "", "--retries", "1", "--low-level-retries", "1", *words],
        env={**os.environ, **{f"RCLONE_CONFIG_LAKE_{name}": value for name, value in settings.items()}},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"rclone {' '.join(words)}: {done.stderr.decode()}"
    return done.stdout.decode()


def listed(where: str, root: str = "") -> dict[str, int]:
    found = json.loads(rclone("lsjson", "-R", "--files-only", where, root=root))
    return {line["Path"]: line["Size"] for line in found}


def tree(folder: Path, **files: bytes) -> Path:
    for name, data in {"a.txt": b"a", "dir/b ü+.txt": b"bb", "dir/deep/c#d.txt": b"ccc", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _sync(base: str, root: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = tree(Path(folder, "here"), large=os.urandom(12 * MIB))
        there = f"lake:{base}/tree"
        rclone("copy", str(here), there, root=root)
        equal(listed(there, root), {"a.txt": 1, "dir/b ü+.txt": 2, "dir/deep/c#d.txt": 3, "large": 12 * MIB})
        rclone("check", "--download", str(here), there, root=root)
        (here / "a.txt").write_bytes(b"changed")
        (here / "dir/b ü+.txt").unlink()
        rclone("sync", "--checksum", str(here), there, root=root)
        equal(listed(there, root), {"a.txt": 7, "dir/deep/c#d.txt": 3, "large": 12 * MIB})
        back = Path(folder, "back")
        rclone("sync", there, str(back), root=root)
        equal((back / "large").read_bytes(), (here / "large").read_bytes())
        times = [(path / "a.txt").stat().st_mtime for path in (here, back)]
        assert abs(times[0] - times[1]) < 0.01, "rclone keeps the time of a file in its metadata"


def check_sync_on_a_branch() -> None:
    _sync(new_repository(plain=False))


def check_sync_without_branches() -> None:
    _sync(new_repository(plain=True), root="/s3")


def check_moves_and_removal() -> None:
    for plain in (True, False):
        base = new_repository(plain=plain)
        rclone("rcat", f"lake:{base}/x/one", stdin=b"1" * (6 * MIB))
        rclone("moveto", f"lake:{base}/x/one", f"lake:{base}/y/two")
        rclone("copyto", f"lake:{base}/y/two", f"lake:{base}/y/three")
        equal(listed(f"lake:{base}"), {"y/two": 6 * MIB, "y/three": 6 * MIB})
        equal(rclone("cat", "--offset", "10", "--count", "5", f"lake:{base}/y/two"), "11111")
        rclone("deletefile", f"lake:{base}/y/two")
        rclone("delete", f"lake:{base}/y")
        equal(listed(f"lake:{base}"), {})


def check_branches_are_folders() -> None:
    base = new_repository(plain=False)
    repository = base.partition("/")[0]
    rclone("rcat", f"lake:{base}/x", stdin=b"1")
    status, _, _ = checks.http(
        "POST", f"/repositories/{repository}/branches/main/commits", body={"message": "by rclone"}
    )
    equal(status, 201)
    status, _, _ = checks.http("POST", f"/repositories/{repository}/branches", body={"name": "dev", "source": "main"})
    equal(status, 201)
    equal(sorted(rclone("lsf", f"lake:{repository}").split()), ["dev/", "main/"])
    rclone("rcat", f"lake:{repository}/dev/y", stdin=b"2")
    found = json.loads(rclone("lsjson", "-R", "--files-only", "--disable", "ListR", f"lake:{repository}"))
    equal(sorted(line["Path"] for line in found), ["dev/x", "dev/y", "main/x"])  # it walks folders side by side
    assert repository in rclone("lsd", "lake:")


if __name__ == "__main__":
    checks.run(dict(globals()))
