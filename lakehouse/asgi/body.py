# SPDX-License-Identifier: Apache-2.0
"""Bodies of JSON or MessagePack as the types that operations declare."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core.errors import InvalidArgument
from lakehouse.wire.packed import is_packed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lakehouse.asgi.call import Call
    from lakehouse.asgi.limits import Limits
    from lakehouse.wire.operation import Type


def body_reader(
    kind: Type, *, required: bool, limits: Limits, packed: bool = False
) -> Callable[[Call[Any, Any]], Awaitable[Any]]:
    """A coroutine function from a call to its body as `kind`, or None when it is absent and not required.

    `packed`: a body whose type is MessagePack is read as that; all others are JSON.
    It raises InvalidArgument (what is wrong and where), BodyTooLarge, IncompleteBody.
    """
    decoders = msgspec.json.Decoder(kind).decode, msgspec.msgpack.Decoder(kind).decode

    async def read(call: Call[Any, Any]) -> Any:
        raw = await call.read(limits.json_body)
        if not raw:
            if required:
                raise InvalidArgument("request body: is empty, JSON is required: invalid value: validation error")
            return None
        is_msgpack = packed and is_packed(call.header(b"content-type"))
        decode = decoders[is_msgpack]
        try:
            if len(raw) > limits.off_loop:
                return await asyncio.to_thread(decode, raw)
            return decode(raw)
        except msgspec.ValidationError as error:
            raise InvalidArgument(f"request body: {error}: invalid value: validation error") from error
        except UnicodeDecodeError as error:
            raise InvalidArgument("request body: not UTF-8: invalid value: validation error") from error
        except (msgspec.DecodeError, RecursionError) as error:
            form = "MessagePack" if is_msgpack else "JSON"
            raise InvalidArgument(f"request body: not {form}: {error}: invalid value: validation error") from error

    return read
