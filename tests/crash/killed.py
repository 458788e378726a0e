# SPDX-License-Identifier: Apache-2.0
"""Processes that write and are killed in the middle."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def killed(script: Path, *arguments: str | Path, after: int) -> list[str]:
    """The whole lines that a script of ours wrote, which is killed after so many that begin with `done`.

    It runs in the folder above `tests`.
    """
    lines: list[str] = []
    command = [sys.executable, script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=script.parents[2]) as process:
        for line in process.stdout:
            lines.append(line)
            after -= line.startswith("done ")
            if after == 0:
                process.kill()
        process.wait()
    assert after <= 0, "it was killed, and did not end by itself"
    return [line for line in lines if line.endswith("\n")]
