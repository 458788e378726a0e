# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3 document, made from the table of operations and its types: it cannot say anything else than they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.wire.errors import Error
from lakehouse.wire.operation import Access, Operation
from lakehouse.wire.packed import MSGPACK

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE = "#/components/schemas/{name}"
SECURITY = {
    "jwt_token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "basic_auth": {"type": "http", "scheme": "basic"},
    "cookie_auth": {"type": "apiKey", "in": "cookie", "name": "internal_auth_session"},
}
_JSON = "application/json"
_BINARY = {"type": "string", "format": "binary"}
_SCALARS = (str, bytes, None)


def openapi_document(operations: Sequence[Operation], *, version: str) -> dict[str, Any]:
    """The document for `operations`, as values that JSON has; `version` is the program's."""
    kinds = _kinds(operations)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    by_kind = {_key(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "lakehouse", "version": version, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/api/v1"}],
        "security": [{name: []} for name in SECURITY],
        "components": {"securitySchemes": SECURITY, "schemas": components},
        "paths": paths,
    }


def _kinds(operations: Sequence[Operation]) -> list[Any]:
    found: dict[str, Any] = {_key(Error): Error}
    for operation in operations:
        for kind in (operation.body, operation.result, *operation.also.values()):
            if kind not in _SCALARS:
                found[_key(kind)] = kind
    return list(found.values())


def _key(kind: Any) -> str:
    return repr(kind)


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation, schemas),
    }
    if operation.body is not None:
        content = _content(operation.body, schemas)
        if operation.body is bytes:
            content["multipart/form-data"] = {"schema": {"type": "object", "properties": {"content": _BINARY}}}
        elif operation.raw_body:
            content["application/x-ndjson"] = {"schema": {"type": "string"}}
        if operation.packed:
            content[MSGPACK] = {"schema": _BINARY}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    if operation.allow is Access.NOBODY_ASKED:
        described["security"] = []
    if operation.deprecated:
        described["deprecated"] = True
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}} for name in operation.parameters
    ]
    if operation.query is not None:
        (_,), components = msgspec.json.schema_components([operation.query], ref_template=REFERENCE)
        schema = components[operation.query.__name__]
        required = schema.get("required", ())
        for name, member in schema["properties"].items():
            listed.append({"in": "query", "name": name, "required": name in required, "schema": member})
    return listed + [
        {"in": "header", "name": name, "required": False, "schema": {"type": "string"}} for name in operation.headers
    ]


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    result = bytes if operation.raw_result and operation.method != "HEAD" else operation.result
    responses = {str(operation.status): _response(result, schemas)}
    if operation.packed:
        responses[str(operation.status)]["content"][MSGPACK] = {"schema": _BINARY}
    for status, kind in operation.also.items():
        responses[str(status)] = _response(kind, schemas)
    responses["default"] = _response(Error, schemas)
    return responses


def _response(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    return {"description": ""} if kind is None else {"description": "", "content": _content(kind, schemas)}


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind is bytes:
        return {"application/octet-stream": {"schema": _BINARY}}
    if kind is str:
        return {"text/plain": {"schema": {"type": "string"}}}
    return {_JSON: {"schema": schemas[_key(kind)]}}
