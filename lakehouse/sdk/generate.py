# SPDX-License-Identifier: Apache-2.0
"""Makes the synchronous client from the asynchronous one: `python -m lakehouse.sdk.generate` (`--check` only looks).

Both say the same thing in two manners; only one is written. Needs ruff, which gives the result its final form.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "_async"
TARGET = Path(__file__).parent / "_sync"

_THREAD = re.compile(r"asyncio\.to_thread\(([\w.]+), ")
_WORDS = (
    (re.compile(r"\basync (def|for|with)\b"), r"\1"),
    (re.compile(r"\bawait "), ""),
    (re.compile(r"\bimport asyncio\b"), "import time"),
    (re.compile(r"\basyncio\.sleep\b"), "time.sleep"),
    (re.compile(r"\basynccontextmanager\b"), "contextmanager"),
    (re.compile(r"\bAsync(Iterator|Iterable|Client|BaseTransport)\b"), r"\1"),
    (re.compile(r"\ba(close|read|iter_bytes)\b"), r"\1"),
    (re.compile(r"\b__a(enter|exit)__"), r"__\1__"),
    (re.compile(r"\bsdk\._async\b"), "sdk._sync"),
    (re.compile(r"import (.*\b)Awaitable, "), r"import \1"),
)
_BRACKET = "Awaitable["


def synchronous(text: str) -> str:
    """The same module without `async`."""
    text = _THREAD.sub(r"\1(", text)
    for pattern, replacement in _WORDS:
        text = pattern.sub(replacement, text)
    while (start := text.find(_BRACKET)) >= 0:
        end = _closing(text, start + len(_BRACKET))
        text = text[:start] + text[start + len(_BRACKET) : end] + text[end + 1 :]
    if not re.search(r"\btime\.", text):
        text = text.replace("import time\n", "")
    return text


def _closing(text: str, at: int) -> int:
    depth = 1
    while depth:
        depth += {"[": 1, "]": -1}.get(text[at], 0)
        at += 1
    return at - 1


def generated() -> dict[Path, str]:
    """The files of the twin and what they should hold."""
    files = {TARGET / source.name: synchronous(source.read_text()) for source in sorted(SOURCE.glob("*.py"))}
    files[TARGET / "__init__.py"] = (
        "# SPDX-License-Identifier: Apache-2.0\n"
        '"""The synchronous client, made from `_async` by `lakehouse.sdk.generate`. Not to be edited."""\n'
    )
    return {path: _formatted(path, text) for path, text in files.items()}


def _formatted(path: Path, text: str) -> str:
    for command in (["check", "--select", "I,UP028,C416", "--fix", "--unsafe-fixes", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


def main() -> int:
    """Write the twin, or with `--check` say whether it is as it should be."""
    files = generated()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    stale += [path for path in TARGET.glob("*.py") if path not in files]
    if "--check" in sys.argv:
        sys.stdout.write("".join(f"not up to date: {path.name}\n" for path in stale))
        return 1 if stale else 0
    TARGET.mkdir(exist_ok=True)
    for path in stale:
        if path in files:
            path.write_text(files[path])
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
