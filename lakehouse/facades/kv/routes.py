# SPDX-License-Identifier: Apache-2.0
"""Handlers of Descartes Labs Storage and of its token endpoint, and the two applications that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.asgi.dispatch import ApiApp
from lakehouse.asgi.form import limited
from lakehouse.asgi.ranges import parse_range, satisfy
from lakehouse.asgi.responses import Response, json_response
from lakehouse.asgi.streaming import WHOLE, ObjectFacts, head_response, object_headers, object_response
from lakehouse.auth.identity import Authenticator
from lakehouse.core.errors import BodyTooLarge, InvalidArgument
from lakehouse.core.signing import Signer
from lakehouse.facades.kv import accounts, service
from lakehouse.facades.kv.errors import error_response
from lakehouse.facades.kv.links import check_signed, signed_url
from lakehouse.facades.kv.routing import KeyRouter
from lakehouse.facades.kv.service import Value, Values
from lakehouse.objects.port import ByteRange
from lakehouse.versioning.objects import objects
from lakehouse.wire import kv as wire

if TYPE_CHECKING:
    from lakehouse.asgi.call import Call
    from lakehouse.asgi.dispatch import Observe, Record
    from lakehouse.asgi.origin import Origin
    from lakehouse.core.records import User

TOKEN_SECONDS = 3600
"""For how long tokens of the token endpoint are good; clients get a new one by themselves."""
_NEXT = wire.NEXT.lower().encode()


class StorageContext(msgspec.Struct, frozen=True, eq=False):
    """What the handlers work with. `object_size`: bytes of the largest value."""

    values: Values
    authenticator: Authenticator
    urls: Signer
    object_size: int

    @property
    def times(self) -> range:
        """When a URL that is signed now is good, in seconds."""
        now = self.values.lake.now
        return range(now, now + self.values.lake.presign_seconds)


async def get_value(context: StorageContext, call: Call[None, None]) -> Response:
    """Large values go in chunks, because the client keeps what has a length in memory."""
    found = await _found(context, call, call.path["key"])
    if found.entry.size <= WHOLE or call.header(b"range") is not None:
        return await _download(context, call, found)
    reader = await objects.open_object(context.values.lake, found.repository, found.entry)
    return Response(200, object_headers(_facts(call, found)), reader.body)


async def value_exists(context: StorageContext, call: Call[None, None]) -> Response:
    return head_response(_facts(call, await _found(context, call, call.path["key"])), span=None)


async def delete_value(context: StorageContext, call: Call[None, None]) -> None:
    await service.delete_value(context.values, call.known_user, call.path["storage_type"], call.path["key"])


async def list_keys(context: StorageContext, call: Call[wire.ListKeysQuery, None]) -> Response:
    after = call.header(_NEXT) or ""
    found = await service.list_keys(
        context.values, call.known_user, call.path["storage_type"], prefix=call.query.prefix, after=after
    )
    response = json_response(200, found.keys)
    if found.more:
        response.headers.append((_NEXT, found.more.encode()))
    return response


async def get_signed_url(context: StorageContext, call: Call[None, None]) -> str:
    kind, key = call.path["storage_type"], call.path["key"]
    await service.require_readable(context.values, call.known_user, kind, key)
    return signed_url(context.urls, "GET", call.known_user, kind, key, endpoint=call.endpoint, times=context.times)


async def new_resumable_url(context: StorageContext, call: Call[None, None]) -> str:
    kind, key = call.path["storage_type"], call.path["key"]
    await service.require_writable(context.values, call.known_user, kind, key)
    return signed_url(context.urls, "PUT", call.known_user, kind, key, endpoint=call.endpoint, times=context.times)


async def download_signed(context: StorageContext, call: Call[wire.SignedQuery, None]) -> Response:
    await _admit_signed(context, call, "GET")
    return await _download(context, call, await _found(context, call, call.query.key))


async def look_at_signed(context: StorageContext, call: Call[wire.SignedQuery, None]) -> Response:
    await _admit_signed(context, call, "GET")
    return head_response(_facts(call, await _found(context, call, call.query.key)), span=None)


async def upload_signed(context: StorageContext, call: Call[wire.SignedQuery, None]) -> Response:
    user = await _admit_signed(context, call, "PUT")
    if (call.content_length or 0) > context.object_size:
        raise BodyTooLarge(f"a value may have at most {context.object_size} bytes; nothing was stored")
    entry = await service.set_value(
        context.values,
        user,
        call.path["storage_type"],
        call.query.key,
        limited(call.stream(), context.object_size),
        size=call.content_length,
        content_type=call.header(b"content-type") or "",
    )
    return Response(200, [(b"etag", f'"{entry.etag}"'.encode())])


async def create_token(authenticator: Authenticator, call: Call[None, wire.TokenRequest]) -> wire.TokenAnswer:
    asked = call.body
    if asked.grant_type not in wire.GRANTS:
        raise InvalidArgument(f"grant_type {asked.grant_type!r}: unknown; use {wire.GRANTS[0]}")
    token = await authenticator.login_client(asked.client_id, asked.refresh_token, seconds=TOKEN_SECONDS)
    return wire.TokenAnswer(access_token=token.text, expires_in=TOKEN_SECONDS)


HANDLERS: dict[str, Any] = {
    handler.__name__: handler
    for handler in (
        get_value,
        value_exists,
        delete_value,
        list_keys,
        get_signed_url,
        new_resumable_url,
        download_signed,
        look_at_signed,
        upload_signed,
    )
}


def storage_app(
    context: StorageContext, *, origin: Origin, record: Record | None = None, observe: Observe | None = None
) -> ApiApp:
    """The storage interface, below its own root."""

    async def authenticate(call: Call[Any, Any]) -> User | None:
        """By the Authorization header only: what browsers send along by themselves counts for nothing here."""
        headers = {name: value for name, value in call.header_view.items() if name != "cookie"}
        return await context.authenticator.authenticate(headers, method=call.operation.method, peer=lambda: call.peer)

    return ApiApp(
        context,
        wire.OPERATIONS,
        HANDLERS,
        authenticate=authenticate,
        authorize=None,
        errors=error_response,
        origin=origin,
        observe=observe,
        record=record,
        prefix=wire.ROOT,
        routes=KeyRouter(),
    )


def login_app(
    authenticator: Authenticator, *, origin: Origin, record: Record | None = None, observe: Observe | None = None
) -> ApiApp:
    """The token endpoint."""

    async def nobody(_: Call[Any, Any]) -> User | None:
        return None

    return ApiApp(
        authenticator,
        wire.LOGIN_OPERATIONS,
        {"create_token": create_token},
        authenticate=nobody,
        authorize=None,
        errors=error_response,
        origin=origin,
        observe=observe,
        record=record,
        prefix=wire.LOGIN_ROOT,
    )


async def _admit_signed(context: StorageContext, call: Call[wire.SignedQuery, None], method: str) -> User:
    """The user in whose name the URL was signed, whatever else the request says of its sender."""
    kind = accounts.check_type(call.path["storage_type"])
    identifier = check_signed(context.urls, method, kind, call.query, now=context.values.lake.now)
    user = await context.authenticator.user_since(identifier, call.query.issued)
    call.user = await context.values.checker.prepare(user, peer=lambda: call.peer)
    call.path["key"] = call.query.key
    return call.user


async def _found(context: StorageContext, call: Call[Any, Any], key: str) -> Value:
    return await service.find_value(context.values, call.known_user, call.path["storage_type"], key)


async def _download(context: StorageContext, call: Call[Any, Any], found: Value) -> Response:
    wanted = parse_range(call.header(b"range"))
    span = None if wanted is None else satisfy(wanted, found.entry.size)
    exact = None if span is None else ByteRange(span[0], span[0] + span[1] - 1)
    reader = await objects.open_object(context.values.lake, found.repository, found.entry, exact)
    return await object_response(_facts(call, found), reader, partial=span is not None)


def _facts(call: Call[Any, Any], found: Value) -> ObjectFacts:
    entry = found.entry
    return ObjectFacts(
        path=call.path["key"],
        size=entry.size,
        checksum=entry.checksum,
        mtime=entry.mtime,
        content_type=entry.content_type,
    )
