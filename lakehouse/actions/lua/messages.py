# SPDX-License-Identifier: Apache-2.0
"""What a script's process and the server say to each other: MessagePack behind four bytes of length.

The server sends `Script` and then an `Answer` to each `Ask`; the process sends `Said`, `Ask`, and `Ended` at the end.
"""

from __future__ import annotations

from typing import Any

import msgspec

HEAD = 4
LARGEST = 24 << 20
"""Most bytes of a message; whoever gets a longer one gives up."""


class Limits(msgspec.Struct, frozen=True):
    """What a script may use: seconds of CPU, bytes of memory, seconds by the clock, bytes of what it prints."""

    cpu: int = 10
    memory: int = 64 << 20
    timeout: float = 60.0
    output: int = 64 << 10


class Script(msgspec.Struct, frozen=True, tag="script"):
    """The text of a script and what it finds as globals. `http`: whether it may ask for requests to elsewhere."""

    name: str
    text: bytes
    told: dict[str, Any]
    arguments: Any
    user: str
    limits: Limits
    http: bool


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """To an `Ask`: values, or what went wrong. Bytes reach the script as they are."""

    values: list[Any] = []
    error: str | None = None


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A line that the script printed."""

    text: bytes


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Something that only the server can do."""

    what: str
    arguments: list[Any]


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The script has ended; `error` None: well."""

    error: str | None = None


ToScript = Script | Answer
FromScript = Said | Ask | Ended


def framed(message: ToScript | FromScript) -> bytes:
    """A message as it is sent."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(HEAD, "big") + body
