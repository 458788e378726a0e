# SPDX-License-Identifier: Apache-2.0
"""References to objects: `scheme://container/key`, as Flyte reads and writes them.

The scheme counts for nothing. The key is percent-decoded, and without slashes at its ends; a query and a fragment are
dropped. References that are listed are percent-encoded, so that every key survives the way there and back.
"""

from __future__ import annotations

import re
from typing import NewType
from urllib.parse import quote, unquote_to_bytes

from lakehouse.sdk.datastore.errors import BadReference

DataReference = NewType("DataReference", str)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEPT = "/!$&'()*+,;=:@"


def parse_reference(reference: str) -> tuple[str, str]:
    """Container and key. Raises BadReference."""
    scheme, separator, rest = reference.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise BadReference(f"{reference!r}: not of the form s3://container/key")
    container, _, key = rest.partition("#")[0].partition("?")[0].partition("/")
    if not container or _ESCAPE.search(key):
        raise BadReference(f"{reference!r}: {'a % that escapes nothing' if container else 'no container'}")
    try:
        return container, unquote_to_bytes(key).decode().strip("/")
    except UnicodeDecodeError as error:
        raise BadReference(f"{reference!r}: the key is not UTF-8") from error


def reference_to(container: str, key: str) -> DataReference:
    """The reference to a key."""
    return DataReference(f"s3://{container}/{quote(key, safe=_KEPT)}")


def construct_reference(base: str, *keys: str) -> DataReference:
    """The reference to something below another: slashes at the ends of the parts do not count, `..` climbs.

    Raises BadReference.
    """
    container, key = parse_reference(base)
    parts: list[str] = []
    for part in "/".join([key, *(one.strip("/") for one in keys)]).split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return reference_to(container, "/".join(parts))
