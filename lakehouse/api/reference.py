# SPDX-License-Identifier: Apache-2.0
"""The reference page: the API document as one page of HTML, for people. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Any, Final

from lakehouse.wire.operation import Access

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lakehouse.wire.operation import Operation

STYLE: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code{font:.9em/1.4 ui-monospace,monospace}
h2{margin-top:2.5rem;border-bottom:1px solid #8885}
nav ul{columns:4 10rem;padding-left:1rem}
details{margin:.4rem 0;padding:.2rem .6rem;border:1px solid #8885;border-radius:.3rem}
summary{cursor:pointer;overflow-wrap:anywhere}
summary b{display:inline-block;min-width:4.2rem}
table{border-collapse:collapse;margin:.3rem 0}
td,th{text-align:left;vertical-align:top;padding:.15rem .8rem .15rem 0;border-top:1px solid #8883}
.old{opacity:.6}
"""
POLICY: Final = (
    "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
"""Content-Security-Policy of the page: its own style and nothing else."""
_REF = "#/components/schemas/"


def reference_page(operations: Sequence[Operation], document: Mapping[str, Any]) -> str:
    """The page for `operations`, as `document`, made of them, describes them."""
    tags: dict[str, list[Operation]] = {}
    for operation in operations:
        tags.setdefault(operation.tag, []).append(operation)
    title = f"{document['info']['title']} {document['info']['version']}: REST API"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(operations)} operations below <code>{escape(document['servers'][0]['url'])}</code>. The same as ",
        'an <a href="/openapi.json">OpenAPI document</a>, for programs.</p><nav><ul>',
        *[f'<li><a href="#tag-{escape(tag)}">{escape(tag)}</a></li>' for tag in sorted(tags)],
        "</ul></nav>",
    ]
    for tag in sorted(tags):
        parts.append(f'<h2 id="tag-{escape(tag)}">{escape(tag)}</h2>')
        for operation in tags[tag]:
            described = document["paths"][operation.path][operation.method.lower()]
            parts.extend(_operation(operation, described))
    parts.append('<h2 id="types">Types</h2>')
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.extend(_type(name, schema))
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _operation(operation: Operation, described: Mapping[str, Any]) -> Iterator[str]:
    old = ' class="old"' if operation.deprecated else ""
    yield (
        f'<details id="{escape(operation.id)}"{old}><summary><b>{operation.method}</b> '
        f"<code>{escape(operation.path)}</code> {escape(operation.summary)}"
        f"{' (deprecated)' if operation.deprecated else ''}</summary>"
    )
    yield f"<p><code>{escape(operation.id)}</code>; who may: {_access(operation)}</p>"
    if described["parameters"]:
        rows = [
            (one["name"], one["in"], _kind(one["schema"]), "required" if one["required"] else _default(one["schema"]))
            for one in described["parameters"]
        ]
        yield _table("parameters", rows)
    if "requestBody" in described:
        body = described["requestBody"]
        needed = "required" if body["required"] else "optional"
        yield _table("body", [(kind, _kind(one["schema"]), needed) for kind, one in body["content"].items()])
    answers = [
        (status, kind, _kind(one["schema"]))
        for status, answer in described["responses"].items()
        for kind, one in (answer.get("content") or {"": {"schema": None}}).items()
    ]
    yield _table("answers", answers)
    yield "</details>"


def _access(operation: Operation) -> str:
    if operation.allow is Access.NOBODY_ASKED:
        return "everybody"
    if operation.allow is Access.AUTHENTICATED:
        return "every user"
    if operation.allow is Access.DYNAMIC:
        return "every user; each item is asked about"
    return " and ".join(
        f"<code>{escape(need.action)}</code> on <code>{escape(need.resource)}</code>" for need in operation.allow
    )


def _type(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<details id="type-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
    if schema.get("description"):
        yield f"<p>{escape(schema['description'])}</p>"
    if "properties" in schema:
        needed = schema.get("required", ())
        yield _table(
            "members",
            [
                (member, _kind(kind), "required" if member in needed else _default(kind))
                for member, kind in schema["properties"].items()
            ],
        )
    else:
        yield f"<p>{_kind(schema)}</p>"
    yield "</details>"


def _table(caption: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Cells that begin with "<" are HTML already."""
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td>{cell if cell.startswith('<') else f'<code>{escape(cell)}</code>' if not at else escape(cell)}</td>"
            for at, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><tr><th>{caption}</th></tr>{lines}</table>"


def _default(schema: Mapping[str, Any]) -> str:
    return f"default {schema['default']!r}" if "default" in schema else "optional"


def _kind(schema: Mapping[str, Any] | None) -> str:
    """A type as HTML."""
    return f"<span>{_words(schema)}</span>"


def _words(schema: Mapping[str, Any] | None) -> str:
    if schema is None:
        return "no body"
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_REF))
        return f'<a href="#type-{name}"><code>{name}</code></a>'
    if "anyOf" in schema:
        return " or ".join(_words(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"array of {_words(schema.get('items') or {})}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_words(schema['additionalProperties'])}"
    limits = {"minimum": "at least", "maximum": "at most", "minLength": "characters at least", "maxLength": "at most"}
    more = ", ".join(f"{words} {schema[key]}" for key, words in limits.items() if key in schema)
    return escape(f"{kind}{f' ({more})' if more else ''}")
