# SPDX-License-Identifier: Apache-2.0
"""ListObjectVersions: the history of paths, one version for each commit of the ref's own line that changed them.

A version's id is its commit's; `null` is what is uncommitted. GetObject and its kind take these ids as `versionId`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidRef, NotFound, RepositoryNotFound
from lakehouse.core.paths import after_prefix, grouped, successor
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.operations.listing import wanted
from lakehouse.s3.repository.gateway import allow
from lakehouse.s3.repository.listing import list_keys
from lakehouse.s3.xml import NAMESPACE, document, element, parent, quoted, timestamp
from lakehouse.versioning.history.versions import Version, list_versions

if TYPE_CHECKING:
    from lakehouse.s3.operations.listing import Wanted
    from lakehouse.s3.repository.gateway import Asked, Gateway

_UNCOMMITTED = "null"


class _Found(msgspec.Struct):
    """Elements of versions and of rolled-up prefixes, and the markers of the next page, if there is one."""

    versions: list[str]
    prefixes: list[str]
    more: bool = False
    last: tuple[str, str] = ("", "")


async def list_object_versions(gateway: Gateway, asked: Asked) -> Answer:
    """Without a version marker, the key marker stands for all versions of its key. Unknown refs show nothing."""
    ask, query = wanted(asked.request), asked.request.query
    marker = (query.get("key-marker", ""), query.get("version-id-marker", ""))
    if asked.keys.only is not None or "/" in ask.prefix:
        allow(gateway, asked, "fs:ListObjects")
        asked.require_repository()
        found = await _collect(gateway, asked, ask, marker)
    else:
        branches = await list_keys(gateway, asked, ask, after=marker[0])
        found = _Found([], branches.prefixes, branches.more, (branches.resume, ""))
    told = [
        element("Name", asked.request.bucket),
        element("Prefix", ask.shown(ask.prefix)),
        element("KeyMarker", ask.shown(marker[0])),
        element("VersionIdMarker", marker[1]),
        element("MaxKeys", ask.limit),
        element("IsTruncated", "true" if found.more else "false"),
    ]
    told += [element("Delimiter", ask.shown(ask.delimiter))] if ask.delimiter else []
    told += [element("EncodingType", "url")] if ask.encode else []
    if found.more:
        told += [element("NextKeyMarker", ask.shown(found.last[0])), element("NextVersionIdMarker", found.last[1])]
    told += found.versions
    told += [parent("CommonPrefixes", element("Prefix", ask.shown(prefix))) for prefix in found.prefixes]
    return xml_answer(document("ListVersionsResult", *told, namespace=NAMESPACE))


async def _collect(gateway: Gateway, asked: Asked, ask: Wanted, marker: tuple[str, str]) -> _Found:
    ref, text = asked.keys.split(ask.prefix)
    base = asked.keys.base(ref)
    prefix, delimiter = _raw(text), _raw(ask.delimiter)
    position = _start(base, prefix, delimiter, marker)
    found = _Found([], [])
    while position is not None and ask.limit:
        try:
            paths = await list_versions(
                gateway.lake, asked.repository, ref, prefix=prefix, start=position, paths=ask.limit + 1
            )
        except RepositoryNotFound:  # it was deleted meanwhile
            raise
        except (NotFound, InvalidRef):
            return found
        position = None if len(paths) <= ask.limit else successor(paths[-1][0].path)
        for versions in paths:
            group = grouped(versions[0].path, prefix, delimiter)
            if group is not None and found.last[0] == base + _text(group):
                continue
            if not _add(found, base, versions, ask, marker, group):
                return found
    return found


def _add(
    found: _Found, base: str, versions: list[Version], ask: Wanted, marker: tuple[str, str], group: bytes | None
) -> bool:
    """Add a group, or the versions of one path that come after the marker; False when the page is full."""
    if group is not None:
        if _full(found, ask):
            return False
        found.last = (base + _text(group), "")
        found.prefixes.append(found.last[0])
        return True
    key = base + _text(versions[0].path)
    skipping = key == marker[0] and marker[1] != ""
    for number, version in enumerate(versions):
        identifier = version.commit or _UNCOMMITTED
        if skipping:
            skipping = identifier != marker[1]
            continue
        if _full(found, ask):
            return False
        found.versions.append(_element(version, key, ask, latest=number == 0))
        found.last = (key, identifier)
    return True


def _full(found: _Found, ask: Wanted) -> bool:
    found.more = len(found.versions) + len(found.prefixes) == ask.limit
    return found.more


def _start(base: str, prefix: bytes, delimiter: bytes, marker: tuple[str, str]) -> bytes | None:
    """The least path that can be on the page; None when there is none."""
    key, version = marker
    if not key.startswith(base):
        return prefix if _raw(key) < _raw(base) else None
    path = _raw(key[len(base) :])
    group = grouped(path, prefix, delimiter) if path.startswith(prefix) else None
    if group is not None:
        return after_prefix(group)
    return max(prefix, path if version else successor(path))


def _element(version: Version, key: str, ask: Wanted, *, latest: bool) -> str:
    entry = version.entry
    told = [
        element("Key", ask.shown(key)),
        element("VersionId", version.commit or _UNCOMMITTED),
        element("IsLatest", "true" if latest else "false"),
        element("LastModified", timestamp(version.created)),
    ]
    if entry is None:
        return parent("DeleteMarker", *told)
    told += [element("ETag", quoted(entry.etag)), element("Size", entry.size), element("StorageClass", "STANDARD")]
    return parent("Version", *told)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
