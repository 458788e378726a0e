# SPDX-License-Identifier: Apache-2.0
"""Times and intervals between Google's messages and our microseconds."""

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from lakehouse.facades.cache.calls import micros, moment, seconds


def timestamp(microseconds: int) -> Any:
    """A moment as a message."""
    whole, nanos = moment(microseconds)
    return Timestamp(seconds=whole, nanos=nanos)


def duration(microseconds: int) -> Any:
    """An interval as a message."""
    whole, nanos = moment(microseconds)
    return Duration(seconds=whole, nanos=nanos)


def micros_of(message: Any, *, name: str) -> int:
    """Microseconds of a moment. Raises InvalidArgument."""
    return micros((message.seconds, message.nanos), name=name)


def seconds_of(message: Any, *, name: str) -> float:
    """Seconds of an interval. Raises InvalidArgument."""
    return seconds((message.seconds, message.nanos), name=name)
