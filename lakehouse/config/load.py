# SPDX-License-Identifier: Apache-2.0
"""Where settings come from: defaults < `lakehouse.toml` < environment < flags. Each value knows its origin.

A key is written `port` or `log.level`; in the environment `LAKEHOUSE_PORT` and `LAKEHOUSE_LOG__LEVEL`. A section that
has a `url` can be given that alone: `LAKEHOUSE_DATABASE=sqlite:/srv/lake.sqlite`. Unknown keys are errors;
an empty variable counts as not set.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """All settings in the order of the model, sections last."""
    found, sections = [], []
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            sections.extend(leaves(field.type, prefix=f"{field.name}."))
        else:
            found.append(Leaf(prefix + field.name, field.type, field.default))
    return found + sections


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
    origins = dict.fromkeys(known, "default")
    for item in given:
        key = _resolved(item, known)
        try:
            values[key] = parse_value(known[key].kind, item.value)
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


def _flat(content: Mapping[str, Any], *, origin: str, prefix: str = "") -> Iterable[Given]:
    for name, value in content.items():
        if isinstance(value, dict) and not prefix:
            yield from _flat(value, origin=origin, prefix=f"{name}.")
        else:
            yield Given(prefix + name, value, origin)


def _from_environment(environment: Mapping[str, str]) -> list[Given]:
    return [
        Given(name.removeprefix(PREFIX).lower().replace("__", "."), value, f"environment {name}")
        for name, value in sorted(environment.items())
        if value and name.startswith(PREFIX) and name not in CLIENT_VARIABLES and not name.startswith(TEST_PREFIX)
    ]


def _resolved(item: Given, known: Mapping[str, Leaf]) -> str:
    """The key of a given value; a section stands for its `url`."""
    if item.key in known:
        return item.key
    if f"{item.key}.url" in known:
        return f"{item.key}.url"
    near = difflib.get_close_matches(item.key, known, n=1)
    hint = ""
    if near:
        name = known[near[0]].variable if item.origin.startswith("environment") else near[0]
        hint = f"; did you mean {name}?"
    raise BadConfiguration(f"unknown setting {item.key} ({item.origin}){hint}")


def _build(section: type[Any], values: Mapping[str, Any], *, prefix: str = "") -> Any:
    made = {}
    for field in msgspec.structs.fields(section):
        nested = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        made[field.name] = (
            _build(field.type, values, prefix=f"{field.name}.") if nested else values[prefix + field.name]
        )
    return section(**made)


def _check(config: Config) -> None:
    """Settings that contradict each other. Raises BadConfiguration."""
    if bool(config.admin_access_key_id) != bool(config.admin_secret_access_key):
        raise BadConfiguration("admin_access_key_id and admin_secret_access_key go together: one of them is missing")
    if "." not in config.object_store.bucket:
        raise BadConfiguration(f"object_store.bucket: {config.object_store.bucket!r} needs a dot, such as lake.local")
    if config.external_url and not config.external_url.startswith(("http://", "https://")):
        raise BadConfiguration("external_url: must begin with http:// or https://")
    if config.staging.presign_validity > 604800:
        raise BadConfiguration("staging.presign_validity: at most 7d")
