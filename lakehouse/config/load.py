# SPDX-License-Identifier: Apache-2.0
"""Where settings come from: defaults < `lakehouse.toml` < environment < flags. Each value knows its origin.

A key is written `port` or `log.level`; in the environment `LAKEHOUSE_PORT` and `LAKEHOUSE_LOG__LEVEL`. A section that
has a `url` can be given that alone: `LAKEHOUSE_DATABASE=sqlite:/srv/lake.sqlite`. Where there can be several
sections of a kind, each has a name of its own in between: `object_stores.archive.url`. Unknown keys are errors; an
empty variable counts as not set.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec

from lakehouse.config.model import Config
from lakehouse.config.values import parse_value
from lakehouse.core.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "LAKEHOUSE_"
FILE = "lakehouse.toml"
CLIENT_VARIABLES = frozenset(
    PREFIX + name for name in ("CONFIG", "URL", "ENDPOINT", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "TOKEN")
)
"""Variables with our prefix that are no settings of the server: where the file is, and what clients connect with."""
TEST_PREFIX = PREFIX + "TEST_"
NAME = "NAME"
"""Stands in a key for the name of one of several sections."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Leaf(msgspec.Struct, frozen=True):
    """A setting: its key, type and default."""

    key: str
    kind: Any
    default: Any

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.key.upper().replace(".", "__")


class Given(msgspec.Struct, frozen=True):
    """A value as somebody gave it, and where."""

    key: str
    value: Any
    origin: str


class Loaded(msgspec.Struct, frozen=True):
    """The settings, and for each key where its value came from."""

    config: Config
    origins: dict[str, str]


def leaves(section: type[msgspec.Struct] = Config, *, prefix: str = "") -> list[Leaf]:
    """All settings in the order of the model, sections last; those of named sections have NAME in their key."""
    found, sections = [], []
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            sections.extend(leaves(field.type, prefix=f"{field.name}."))
        elif named := named_section(field.type):
            sections.extend(leaves(named, prefix=f"{field.name}.{NAME}."))
        else:
            found.append(Leaf(prefix + field.name, field.type, field.default))
    return found + sections


def named_section(kind: Any) -> type[msgspec.Struct] | None:
    """The section of which a field of this type holds several by name; None for other fields."""
    return get_args(kind)[1] if get_origin(kind) is dict else None


def load(
    *,
    environment: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    file: Path | None = None,
    folder: Path | None = None,
) -> Loaded:
    """Gather the settings.

    `flags` by key, those that are None were not given. `file` must exist; without it, `LAKEHOUSE_CONFIG` names one, or
    `lakehouse.toml` in `folder` is taken if it is there. Raises BadConfiguration, naming key and origin.
    """
    known = {leaf.key: leaf for leaf in leaves()}
    given = [
        *_from_file(_file(file, environment, folder)),
        *_from_environment(environment),
        *(
            Given(key, value, f"flag --{key.replace('_', '-')}")
            for key, value in (flags or {}).items()
            if value is not None
        ),
    ]
    values = {key: leaf.default for key, leaf in known.items()}
    origins = {key: "default" for key in known if f".{NAME}." not in key}
    for item in given:
        key, leaf = _resolved(item, known)
        try:
            values[key] = parse_value(leaf.kind, item.value)
        except ValueError as error:
            raise BadConfiguration(f"{item.key} ({item.origin}): {error}") from error
        origins[key] = item.origin
    config = _build(Config, values)
    _check(config)
    return Loaded(msgspec.structs.replace(config, data=str(Path(config.data).expanduser().absolute())), origins)


def _file(file: Path | None, environment: Mapping[str, str], folder: Path | None) -> Path | None:
    if file is not None:
        return file
    if named := environment.get("LAKEHOUSE_CONFIG"):
        return Path(named)
    beside = None if folder is None else folder / FILE
    return beside if beside is not None and beside.is_file() else None


def _from_file(path: Path | None) -> list[Given]:
    if path is None:
        return []
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"{path}: {error}") from error
    return list(_flat(content, origin=f"file {path}"))


_NAMED = frozenset(f"{field.name}." for field in msgspec.structs.fields(Config) if named_section(field.type))


def _flat(content: Mapping[str, Any], *, origin: str, prefix: str = "") -> Iterable[Given]:
    for name, value in content.items():
        if isinstance(value, dict) and (not prefix or prefix in _NAMED):
            yield from _flat(value, origin=origin, prefix=f"{prefix}{name}.")
        else:
            yield Given(prefix + name, value, origin)


def _from_environment(environment: Mapping[str, str]) -> list[Given]:
    return [
        Given(name.removeprefix(PREFIX).lower().replace("__", "."), value, f"environment {name}")
        for name, value in sorted(environment.items())
        if value and name.startswith(PREFIX) and name not in CLIENT_VARIABLES and not name.startswith(TEST_PREFIX)
    ]


def _resolved(item: Given, known: Mapping[str, Leaf]) -> tuple[str, Leaf]:
    """The key of a given value, and what it is; a section stands for its `url`."""
    for key in (item.key, f"{item.key}.url"):
        section, _, rest = key.partition(".")
        name, _, field = rest.partition(".")
        pattern = f"{section}.{NAME}.{field}"
        if field and pattern in known:
            if not _NAME.fullmatch(name):
                raise BadConfiguration(f"{key} ({item.origin}): a name is made of a-z, 0-9, '_' and '-'")
            return key, known[pattern]
        if key in known:
            return key, known[key]
    section, _, rest = item.key.partition(".")
    asked = f"{section}.{NAME}.{rest.partition('.')[2]}" if f"{section}." in _NAMED else item.key
    near = difflib.get_close_matches(asked, known, n=1)
    hint = ""
    if near:
        name = known[near[0]].variable if item.origin.startswith("environment") else near[0]
        hint = f"; did you mean {name}?"
    raise BadConfiguration(f"unknown setting {item.key} ({item.origin}){hint}")


def _build(section: type[Any], values: Mapping[str, Any], *, prefix: str = "") -> Any:
    made: dict[str, Any] = {}
    for field in msgspec.structs.fields(section):
        if named := named_section(field.type):
            names = {key.split(".")[1]: None for key in values if key.startswith(f"{field.name}.")}
            made[field.name] = {
                name: _build(named, values, prefix=f"{field.name}.{name}.") for name in names if name != NAME
            }
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            made[field.name] = _build(field.type, values, prefix=f"{field.name}.")
        elif prefix + field.name in values:
            made[field.name] = values[prefix + field.name]
    return section(**made)


def _check(config: Config) -> None:
    """Settings that contradict each other. Raises BadConfiguration."""
    if bool(config.admin_access_key_id) != bool(config.admin_secret_access_key):
        raise BadConfiguration("admin_access_key_id and admin_secret_access_key go together: one of them is missing")
    if "." not in config.object_store.bucket:
        raise BadConfiguration(f"object_store.bucket: {config.object_store.bucket!r} needs a dot, such as lake.local")
    _check_stores(config)
    if config.external_url and not config.external_url.startswith(("http://", "https://")):
        raise BadConfiguration("external_url: must begin with http:// or https://")
    if config.staging.presign_validity > 604800:
        raise BadConfiguration("staging.presign_validity: at most 7d")


def _check_stores(config: Config) -> None:
    urls = {"object_store.url": config.object_store.url}
    urls |= {f"object_stores.{name}.url": store.url for name, store in config.object_stores.items()}
    for key, url in urls.items():
        if not url and key != "object_store.url":
            raise BadConfiguration(f"{key}: missing; write where the store is, such as s3://BUCKET")
        if url.rstrip("/") == f"s3://{config.object_store.bucket}":
            raise BadConfiguration(
                f"{key}: {config.object_store.bucket} is the name of the embedded store's bucket: give that another "
                "name with object_store.bucket, such as own.local"
            )
