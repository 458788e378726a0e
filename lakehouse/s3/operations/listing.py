# SPDX-License-Identifier: Apache-2.0
"""What both forms of ListObjects share: pages of keys, rolled up at a delimiter."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from lakehouse.objects.port import StoredObject
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.xml import NAMESPACE, document, element, etag_element, parent, timestamp

if TYPE_CHECKING:
    from lakehouse.objects.port import ObjectStore
    from lakehouse.s3.request import S3Request

MOST = 1000
_BEYOND = "\udcff"
"""Sorts after every character: byte 0xff, which no UTF-8 has."""
_FIRST_STEP = 64


class Wanted(msgspec.Struct, frozen=True):
    """What a listing asks for. `encode`: keys are percent-encoded in the answer."""

    prefix: str
    delimiter: str
    limit: int
    encode: bool

    def shown(self, text: str) -> str:
        """A key as the answer shows it."""
        return quote(text, safe="/", errors="surrogateescape") if self.encode else text


class Listed(msgspec.Struct):
    """A page: objects and rolled-up prefixes, each in order; and where the next page starts after, if there is one."""

    objects: list[StoredObject]
    prefixes: list[str]
    more: bool = False
    last: str = ""
    resume: str = ""


def wanted(request: S3Request, *, most: int = MOST) -> Wanted:
    """The parameters of both forms. Raises S3Error InvalidArgument."""
    query = request.query
    limit = min(number(request, "max-keys", MOST), most)
    encoding = query.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise S3Error("InvalidArgument", "encoding-type must be url")
    return Wanted(query.get("prefix", ""), query.get("delimiter", ""), limit, encoding == "url")


def number(request: S3Request, name: str, default: int) -> int:
    """A number of the query. Raises S3Error InvalidArgument."""
    text = request.query.get(name, "") or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise S3Error("InvalidArgument", f"{name} must be a number of 0 to 2147483647")
    return int(text)


async def list_page(store: ObjectStore, bucket: str, ask: Wanted, *, after: str) -> Listed:
    """The first `ask.limit` keys and groups after `after`. A group is passed over unread once it is known."""
    found = Listed([], [])
    if not ask.limit:
        return found
    step = _FIRST_STEP if ask.delimiter else ask.limit
    more = True
    while more:
        page, more = await store.list(bucket, prefix=ask.prefix, after=after, limit=step)
        sought = False
        for line in page:
            if found.prefixes and line.key.startswith(found.prefixes[-1]):
                sought = True
                continue
            if len(found.objects) + len(found.prefixes) == ask.limit:
                found.more = True
                return found
            _add(found, line, ask)
        after = page[-1].key if page else after
        if found.prefixes and after.startswith(found.prefixes[-1]):
            after = found.prefixes[-1] + _BEYOND
        step = _FIRST_STEP if sought else min(step * 4, MOST)
    return found


def _add(found: Listed, line: StoredObject, ask: Wanted) -> None:
    end = line.key.find(ask.delimiter, len(ask.prefix)) if ask.delimiter else -1
    if end < 0:
        found.objects.append(line)
        found.last = found.resume = line.key
    else:
        found.last = line.key[: end + len(ask.delimiter)]
        found.resume = found.last + _BEYOND
        found.prefixes.append(found.last)


def contents(found: Listed, ask: Wanted, *, owner: bool) -> list[str]:
    """The elements of the objects and of the rolled-up prefixes."""
    whose = parent("Owner", element("ID", "lakehouse"), element("DisplayName", "lakehouse")) if owner else ""
    lines = [
        f"<Contents>{element('Key', ask.shown(line.key))}"
        f"<LastModified>{timestamp(line.info.modified)}</LastModified>"
        f"{etag_element(line.info.etag)}<Size>{line.info.size}</Size>"
        f"{whose}<StorageClass>STANDARD</StorageClass></Contents>"
        for line in found.objects
    ]
    return lines + [parent("CommonPrefixes", element("Prefix", ask.shown(prefix))) for prefix in found.prefixes]


def first_form(request: S3Request, ask: Wanted, found: Listed, *, marker: str) -> Answer:
    """The answer of ListObjects. NextMarker comes with a delimiter only."""
    told = [
        element("Name", request.bucket),
        element("Prefix", ask.shown(ask.prefix)),
        element("Marker", ask.shown(marker)),
        element("MaxKeys", ask.limit),
        element("IsTruncated", "true" if found.more else "false"),
    ]
    told += [element("Delimiter", ask.shown(ask.delimiter))] if ask.delimiter else []
    told += [element("EncodingType", "url")] if ask.encode else []
    told += [element("NextMarker", ask.shown(found.last))] if found.more and ask.delimiter else []
    told += contents(found, ask, owner=True)
    return xml_answer(document("ListBucketResult", *told, namespace=NAMESPACE))


def second_form(request: S3Request, ask: Wanted, found: Listed, *, next_token: str) -> Answer:
    """The answer of ListObjectsV2."""
    query = request.query
    told = [
        element("Name", request.bucket),
        element("Prefix", ask.shown(ask.prefix)),
        element("MaxKeys", ask.limit),
        element("KeyCount", len(found.objects) + len(found.prefixes)),
        element("IsTruncated", "true" if found.more else "false"),
    ]
    told += [element("Delimiter", ask.shown(ask.delimiter))] if ask.delimiter else []
    told += [element("EncodingType", "url")] if ask.encode else []
    told += [element("ContinuationToken", query["continuation-token"])] if "continuation-token" in query else []
    told += [element("StartAfter", ask.shown(query["start-after"]))] if query.get("start-after") else []
    told += [element("NextContinuationToken", next_token)] if found.more else []
    told += contents(found, ask, owner=query.get("fetch-owner", "") == "true")
    return xml_answer(document("ListBucketResult", *told, namespace=NAMESPACE))
