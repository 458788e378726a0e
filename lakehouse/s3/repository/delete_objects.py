# SPDX-License-Identifier: Apache-2.0
"""DeleteObjects: up to 1,000 keys at once, told one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import LakehouseError
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.errors import STATUS, S3Error, code_of
from lakehouse.s3.repository.gateway import allow_object, entry_path
from lakehouse.s3.xml import NAMESPACE, document, element, parent
from lakehouse.s3.xml_reader import children, malformed, read_document, text_of
from lakehouse.versioning.objects import objects

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway

MOST = 1000


async def delete_objects(gateway: Gateway, asked: Asked) -> Answer:
    """Keys of several branches may be mixed; absent ones count as deleted. Each needs the permission for itself."""
    asked.require_repository()
    root = await read_document(asked.request.body, "Delete")
    items = children(root, "Object")
    keys = [text_of(item, "Key") or "" for item in items]
    if not keys or len(keys) > MOST or "" in keys:
        raise malformed()
    refused: dict[str, tuple[str, str]] = {}
    by_branch: dict[str, list[str]] = {}
    for item, key in zip(items, keys, strict=True):
        try:
            ref, path = _judged(gateway, asked, item, key)
        except S3Error as error:
            refused[key] = (error.code, str(error))
        except LakehouseError as error:
            refused[key] = (code_of(error), error.message)
        else:
            by_branch.setdefault(ref, []).append(path)
    for branch, paths in by_branch.items():
        for one in await objects.delete_objects(gateway.lake, asked.repository, branch, paths):
            refused[asked.keys.base(branch) + one.path] = (code_of(one.error), one.error.message)
    asked.request.outcomes = {key: STATUS[refused[key][0]] if key in refused else 204 for key in keys}
    quiet = (text_of(root, "Quiet") or "").strip().lower() == "true"
    lines = [] if quiet else [parent("Deleted", element("Key", key)) for key in keys if key not in refused]
    lines += [
        parent("Error", element("Key", key), element("Code", code), element("Message", message))
        for key, (code, message) in refused.items()
    ]
    return xml_answer(document("DeleteResult", *lines, namespace=NAMESPACE))


def _judged(gateway: Gateway, asked: Asked, item: Any, key: str) -> tuple[str, str]:
    """Branch and path of a key that may be deleted. Raises S3Error, InsufficientPermissions."""
    ref, path = asked.keys.split(key)
    allow_object(gateway, asked.at(ref, path), "fs:DeleteObject")
    if (text_of(item, "VersionId") or "null") != "null":
        raise S3Error("ERRLakeFSNotSupported", "what was committed stays: a version cannot be deleted")
    entry_path(path)
    return ref, path
