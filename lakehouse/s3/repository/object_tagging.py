# SPDX-License-Identifier: Apache-2.0
"""Tags of an object: GetObjectTagging, PutObjectTagging, DeleteObjectTagging. They are committed with the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.repository.facts import find_entry
from lakehouse.s3.repository.gateway import allow_object
from lakehouse.s3.repository.tags import TAGGING, kept_tags, read_tags
from lakehouse.s3.xml import NAMESPACE, document, element, parent
from lakehouse.s3.xml_reader import children, malformed, read_document, text_of
from lakehouse.versioning.objects import writing

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def get_object_tagging(gateway: Gateway, asked: Asked) -> Answer:
    allow_object(gateway, asked, "fs:ReadObject")
    _, entry = await find_entry(gateway, asked)
    tags = [
        parent("Tag", element("Key", name), element("Value", value))
        for name, value in read_tags(entry.metadata.get(TAGGING, ""))
    ]
    return xml_answer(document("Tagging", parent("TagSet", *tags), namespace=NAMESPACE))


async def put_object_tagging(gateway: Gateway, asked: Asked) -> Answer:
    """All tags of the object are replaced."""
    allow_object(gateway, asked, "fs:WriteObject")
    root = await read_document(asked.request.body, "Tagging")
    sets = children(root, "TagSet")
    if len(sets) != 1:
        raise malformed()
    pairs = [(text_of(tag, "Key") or "", text_of(tag, "Value") or "") for tag in children(sets[0], "Tag")]
    await _replace(gateway, asked, kept_tags(pairs))
    return Answer(200)


async def delete_object_tagging(gateway: Gateway, asked: Asked) -> Answer:
    allow_object(gateway, asked, "fs:WriteObject")
    await _replace(gateway, asked, "")
    return Answer(204)


async def _replace(gateway: Gateway, asked: Asked, tags: str) -> None:
    def change(metadata: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in metadata.items() if name != TAGGING}
        return {**kept, TAGGING: tags} if tags else kept

    await writing.change_metadata(gateway.lake, asked.repository, asked.ref, asked.entry_path, change)
