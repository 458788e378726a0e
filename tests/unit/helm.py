# SPDX-License-Identifier: Apache-2.0
"""The part of Helm's templates that our chart uses, so that the chart can be rendered where there is no Helm.

Knows: values by path, `quote`, `toYaml`, `nindent`, `include`, `define`, `if` with `not`, `range` over a map, comments
and the trimming of blanks. Anything else is an error: then the chart says what was never tried.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAG = re.compile(r"(\s*)\{\{(-?)(.*?)(-?)\}\}(\s*)", re.DOTALL)
Tree = list[Any]


class Chart:
    """A chart's folder, ready to be rendered."""

    def __init__(self, folder: Path) -> None:
        self.metadata: dict[str, Any] = yaml.safe_load((folder / "Chart.yaml").read_text())
        self.values: dict[str, Any] = yaml.safe_load((folder / "values.yaml").read_text())
        self.schema: dict[str, Any] = json.loads((folder / "values.schema.json").read_text())
        self._defined: dict[str, Tree] = {}
        self._templates = {path.name: parse(path.read_text()) for path in sorted((folder / "templates").iterdir())}
        for tree in self._templates.values():
            self._defined |= {node[1]: node[2] for node in tree if node[0] == "define"}

    def render(self, values: dict[str, Any], *, release: str = "lake") -> dict[str, str]:
        """The text of each template by its file's name, `values` over the chart's own."""
        scope = {"Values": merged(self.values, values), "Release": {"Name": release}}
        return {name: self._text(tree, scope) for name, tree in self._templates.items() if not name.startswith("_")}

    def objects(self, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The objects that are made, by their kind."""
        rendered = self.render(values)
        loaded = [yaml.safe_load(text) for name, text in rendered.items() if name.endswith(".yaml")]
        return {one["kind"]: one for one in loaded if one}

    def _text(self, tree: Tree, scope: dict[str, Any]) -> str:
        return "".join(self._node(node, scope) for node in tree)

    def _node(self, node: Any, scope: dict[str, Any]) -> str:
        match node:
            case ("text", text):
                return str(text)
            case ("value", expression):
                return str(self._value(expression, scope))
            case ("if", condition, body):
                negated, _, path = condition.rpartition("not ")
                return (
                    self._text(body, scope)
                    if bool(look_up(path, scope)) != bool(negated or "not " in condition)
                    else ""
                )
            case ("range", names, path, body):
                found = look_up(path, scope)
                return "".join(self._text(body, scope | {names[0]: key, names[1]: found[key]}) for key in sorted(found))
            case ("define", _, _):
                return ""
        raise ValueError(node)

    def _value(self, expression: str, scope: dict[str, Any]) -> Any:
        first, *filters = [part.strip() for part in expression.split("|")]
        if first.startswith("include "):
            name, where = re.fullmatch(r'include "([^"]+)" (\.)', first).groups()  # type: ignore[union-attr]
            assert where == "."
            value: Any = self._text(self._defined[name], scope)
        elif first.startswith("toYaml "):
            value = yaml.safe_dump(look_up(first.removeprefix("toYaml "), scope), default_flow_style=False).rstrip("\n")
        else:
            value = look_up(first, scope)
        for one in filters:
            value = filtered(value, one)
        return value


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Maps are merged, everything else is replaced."""
    result = dict(base)
    for name, value in over.items():
        known = result.get(name)
        result[name] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


def look_up(path: str, scope: dict[str, Any]) -> Any:
    """A value by `.Values.a.b` or `$name`. Raises KeyError for what the values do not have."""
    if path.startswith("$"):
        return scope[path]
    if not re.fullmatch(r"(\.\w+)+", path):
        raise ValueError(f"not known here: {path}")
    found: Any = scope
    for name in path[1:].split("."):
        found = found[name]
    return found


def filtered(value: Any, name: str) -> str:
    if name == "quote":
        return json.dumps(value if isinstance(value, str) else str(value))
    number = re.fullmatch(r"nindent (\d+)", name)
    if number is None:
        raise ValueError(f"not known here: {name}")
    return "\n" + "\n".join(" " * int(number[1]) + line for line in str(value).split("\n"))


def parse(text: str) -> Tree:
    """A template as a tree."""
    tokens = list(tokenized(text))
    tree, rest = block(tokens)
    if rest:
        raise ValueError("an end too many")
    return tree


def tokenized(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    trim = False
    for match in TAG.finditer(text):
        before, left, inside, right, after = match.groups()
        plain = text[at : match.start()] + ("" if left else before)
        yield "text", plain.lstrip() if trim else plain
        if not inside.strip().startswith("/*"):
            yield "tag", inside.strip()
        trim = bool(right)
        at = match.end() - len(after)
    yield "text", text[at:].lstrip() if trim else text[at:]


def block(tokens: list[tuple[str, str]]) -> tuple[Tree, list[tuple[str, str]]]:
    """Nodes up to the `end` of a block, and what follows it."""
    tree: Tree = []
    while tokens:
        (kind, content), *tokens = tokens
        if kind == "text":
            tree.append(("text", content))
        elif content == "end":
            return tree, [("text", ""), *tokens]
        elif (found := re.fullmatch(r'define "([^"]+)"', content)) or (
            found := re.fullmatch(r"if ((?:not )?\.[\w.]+)", content)
        ):
            body, tokens = block(tokens)
            tree.append((content.split()[0], found[1], body))
        elif found := re.fullmatch(r"range (\$\w+), (\$\w+) := (\.[\w.]+)", content):
            body, tokens = block(tokens)
            tree.append(("range", (found[1], found[2]), found[3], body))
        else:
            tree.append(("value", content))
    return tree, []
