# SPDX-License-Identifier: Apache-2.0
"""Logs on standard error: lines for people or JSON for programs, each with the id of the request it belongs to.

Whatever looks like a secret is blotted out where lines are formatted, tracebacks included, so that no careless message
can give one away.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from typing import TextIO

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is being answered; "" outside of one."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_BLOTS = (
    (re.compile(r"(?i)\b(authorization['\"]?\s*[:=,]\s*b?['\"]?)[^\r\n'\"]+"), r"\1***"),
    (re.compile(r"(?i)\b((?:basic|bearer)\s+)[\w+/=.~-]{8,}"), r"\1***"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "***"),
    (re.compile(r"(?i)\b(x-amz-signature=|signature=|x-amz-security-token=)[\w%+/=-]+"), r"\1***"),
    (re.compile(r"(?i)((?:secret\w*|password|token)['\"]?\s*[:=]\s*b?['\"]?)[^\s'\",}]+"), r"\1***"),
)


def blotted(text: str) -> str:
    """`text` without what looks like a secret."""
    for pattern, blot in _BLOTS:
        text = pattern.sub(blot, text)
    return text


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00Z INFO lakehouse.server message key=value`, with the traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_stamp(record)} {record.levelname} {record.name} {record.getMessage()}"
        tail = "".join(f" {name}={value}" for name, value in _fields(record).items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return blotted(head + tail + trace)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, extra fields, error."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": blotted(record.getMessage()),
            **{name: blotted(str(value)) for name, value in _fields(record).items()},
        }
        if record.exc_info:
            line["error"] = blotted(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


def configure(
    *, level: str = "info", form: Literal["text", "json"] = "text", stream: TextIO | None = None
) -> logging.Handler:
    """Send all logs to `stream` (standard error), replacing what was configured before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    return handler


def _stamp(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What was logged with `extra=`, and the request's id."""
    found = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    current = request_id.get()
    return {"request_id": current, **found} if current else found
