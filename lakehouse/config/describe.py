# SPDX-License-Identifier: Apache-2.0
"""The settings told to people: `lakehouse config show`, and the reference page. Secrets are never shown."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import msgspec

from lakehouse.config import model
from lakehouse.config.load import CLIENT_VARIABLES, NAME, Leaf, leaves, named_section
from lakehouse.config.model import Config, Secret

if TYPE_CHECKING:
    from lakehouse.config.load import Loaded


_PASSWORD = re.compile(r"(://[^/@:]*:)[^@/]+(?=@)|([?&]password=)[^&]+")
"""A password in a URL."""


class Line(msgspec.Struct, frozen=True):
    """One setting as it is in force."""

    key: str
    value: Any
    origin: str


def lines(loaded: Loaded) -> list[Line]:
    """Every setting with its value and origin; secrets are stars."""
    return [Line(key, _shown(_value(loaded.config, key)), loaded.origins.get(key, "default")) for key in _keys(loaded)]


def _keys(loaded: Loaded) -> list[str]:
    """The key of every setting, those of each named section with its name."""
    found = []
    for leaf in leaves():
        section, marker, field = leaf.key.partition(f".{NAME}.")
        if not marker:
            found.append(leaf.key)
        else:
            found += [f"{section}.{name}.{field}" for name in sorted(getattr(loaded.config, section))]
    return found


def _value(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return _PASSWORD.sub(lambda found: (found[1] or found[2]) + "***", value)
    return repr(value) if isinstance(value, Secret) else value


def documentation() -> dict[str, str]:
    """What the model's source says below each field, by key; sections by their name."""
    tree = ast.parse(inspect.getsource(model))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found = dict(_documented(classes["Config"], prefix=""))
    for field in msgspec.structs.fields(Config):
        named = named_section(field.type)
        section = named or field.type
        if isinstance(section, type) and issubclass(section, msgspec.Struct):
            node = classes[section.__name__]
            key = f"{field.name}.{NAME}" if named else field.name
            found[key] = " ".join((ast.get_docstring(node) or "").split())
            found |= _documented(node, prefix=f"{key}.")
    return found


def _documented(node: ast.ClassDef, *, prefix: str) -> dict[str, str]:
    found = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[prefix + field.target.id] = " ".join(str(text.value.value).split())
    return found


def reference_page() -> str:
    """`docs/reference/configuration.md`, whole."""
    documented = documentation()
    page = [_HEAD]
    section: str | None = None
    for leaf in leaves():
        here = leaf.key.rpartition(".")[0]
        if here != section:
            section = here
            title = f"## `[{section}]`\n\n{documented[section]}" if section else "## Top level"
            page.append(f"\n{title}\n\n| setting | environment | kind | default | |\n|---|---|---|---|---|\n")
        page.append(
            f"| `{leaf.key}` | `{leaf.variable}` | {_kind(leaf)} | {_default(leaf)} | {documented[leaf.key]} |\n"
        )
    return "".join(page)


def _kind(leaf: Leaf) -> str:
    meta = next((m for m in getattr(leaf.kind, "__metadata__", ()) if isinstance(m, msgspec.Meta)), None)
    if meta is not None and meta.title:
        return meta.title
    plain = get_args(leaf.kind)[0] if meta is not None else leaf.kind
    if get_origin(plain) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(plain))
    if get_origin(plain) is tuple:
        return "list"
    return {str: "text", int: "number", bool: "true or false", Secret: "secret"}[plain]


def _default(leaf: Leaf) -> str:
    if isinstance(leaf.default, Secret) or leaf.default in ("", ()):
        return ""
    meta = next((m for m in getattr(leaf.kind, "__metadata__", ()) if isinstance(m, msgspec.Meta)), None)
    if meta is not None and meta.title == "size":
        return f"`{_in_units(leaf.default, [('TiB', 2**40), ('GiB', 2**30), ('MiB', 2**20)])}`"
    if meta is not None and meta.title == "duration":
        return f"`{_in_units(int(leaf.default), [('h', 3600), ('min', 60), ('s', 1)])}`"
    return f"`{str(leaf.default).lower() if isinstance(leaf.default, bool) else leaf.default}`"


def _in_units(value: int, units: list[tuple[str, int]]) -> str:
    return next((f"{value // size}{unit}" for unit, size in units if value % size == 0), str(value))


_HEAD = f"""# Configuration

Every setting can stand in a file, in the environment or, for the usual ones, on the command line. Later ones win:

1. the defaults below;
2. `lakehouse.toml` in the current directory, or the file that `--config` or `LAKEHOUSE_CONFIG` names;
3. environment variables, as listed below;
4. flags of the command ([command line](cli.md)).

`lakehouse config show` prints each setting that is in force and where it came from. An unknown setting is an error,
with a suggestion. An empty variable counts as not set. In the file, sections are TOML tables:

```toml
port = 9000
data = "/srv/lakehouse"

[log]
level = "debug"
```

Sizes and durations are numbers (bytes, seconds) or have a unit: `64MiB`, `5GB`, `24h`, `500ms`. Lists are TOML lists;
in the environment, commas separate them. A section that has a `url` can be given that alone: `LAKEHOUSE_DATABASE` means
`LAKEHOUSE_DATABASE__URL`. Where a key has `NAME`, there can be several such sections, each with a name of its own:
`[object_stores.archive]` in the file, `LAKEHOUSE_OBJECT_STORES__ARCHIVE__URL` in the environment.

These variables are no settings of the server, and it passes over them:
{", ".join(f"`{name}`" for name in sorted(CLIENT_VARIABLES))}.
"""
