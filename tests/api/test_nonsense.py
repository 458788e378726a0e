# SPDX-License-Identifier: Apache-2.0
"""Nonsense in every place of every operation: whatever is sent, the answer is never a failure of the server's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest

from lakehouse.wire.table import OPERATIONS

from .conftest import Repo, make

if TYPE_CHECKING:
    from lakehouse.wire.operation import Operation

pytestmark = pytest.mark.anyio

TEXTS = ["", " ", "\x00", "..", "a/../b", "%2F", "é\U0001f30a", "main$", "main~1^2", "~", "'\";--", "*[{", "a" * 1025,
         "0" * 64, "s3://lake.local/x", "\r\nx: y", "-1", "9" * 40, "1e309", "true"]  # fmt: skip
VALUES: list[Any] = [*TEXTS, None, True, -1, 0, 2**31, 2**63, 2**64, 10**40, 1.5, [], [[]], {}, {"a": None}, {"": ""}]


def plain(kind: Any, name: str) -> Any:
    """A harmless value for a member."""
    shape = msgspec.inspect.type_info(kind) if not isinstance(kind, msgspec.inspect.Type) else kind
    if isinstance(shape, msgspec.inspect.UnionType):
        return plain(shape.types[0], name)
    if isinstance(shape, msgspec.inspect.StructType):
        return {field.encode_name: plain(field.type, field.encode_name) for field in shape.fields if field.required}
    if isinstance(shape, msgspec.inspect.ListType):
        return [plain(shape.item_type, name)]
    if isinstance(shape, msgspec.inspect.DictType):
        return {}
    if isinstance(shape, msgspec.inspect.BoolType):
        return False
    if isinstance(shape, msgspec.inspect.IntType):
        return 1
    if isinstance(shape, msgspec.inspect.LiteralType):
        return shape.values[0]
    return {"name": "abc", "source": "main", "ref": "main", "id": "t"}.get(name, "main")


def members(kind: Any) -> list[tuple[str, Any]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [(field.encode_name, field.type) for field in msgspec.inspect.type_info(kind).fields]
    return []


def requests(operation: Operation, repository: str) -> list[tuple[str, dict[str, Any]]]:
    """Path and options of requests with one wrong thing each."""
    good = {"repository": repository, "branch": "main", "ref": "main", "type": "range", "tag": "t"}
    names = {name: good.get(name, "main") for name in operation.parameters}
    query = {name: plain(kind, name) for name, kind in members(operation.query) if name in ("path", "dest_path", "ref")}
    body = None if operation.body in (None, bytes) else plain(operation.body, "")

    def request(**changes: Any) -> tuple[str, dict[str, Any]]:
        path = operation.path
        for name, value in (names | changes.get("names", {})).items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        options: dict[str, Any] = {"params": query | changes.get("query", {})}
        if body is not None or "body" in changes:
            options["json"] = changes.get("body", body)
        return path, options

    made = [request()]
    made += [request(names={name: text}) for name in names for text in TEXTS if text not in ("", "..")]
    made += [request(query={name: text}) for name, _ in members(operation.query) for text in TEXTS]
    made += [request(body=value) for value in VALUES]
    if isinstance(body, dict):
        made += [request(body=body | {name: value}) for name, _ in members(operation.body) for value in VALUES]
    if isinstance(body, list) and isinstance(body[0], dict):
        item = operation.body.__args__[0]
        made += [request(body=[body[0] | {name: value}]) for name, _ in members(item) for value in VALUES]
    return made


DESTRUCTIVE = {"delete_repository", "delete_branch", "set_branch_protection_rules"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_nonsense(api, repo: Repo, operation: Operation) -> None:
    for path, options in requests(operation, repo.name):
        answer = await api.request(operation.method, path, **options)
        assert answer.status_code < 500 or answer.status_code == 501, (path, options, answer.text)
        if answer.status_code >= 400 and operation.method != "HEAD" and answer.status_code != 409 and answer.content:
            assert set(answer.json()) == {"message"}, (path, options)
        if operation.name in DESTRUCTIVE and answer.is_success:
            repo = await make(api)
    assert (await api.get("/user")).status_code == 200
