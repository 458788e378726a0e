# SPDX-License-Identifier: Apache-2.0
"""HeadObject: what GetObject would answer, without the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.operations.head_object import head_answer
from lakehouse.s3.part_reads import asked_bytes
from lakehouse.s3.repository.facts import find_entry, info_of, part_of
from lakehouse.s3.repository.gateway import allow_object

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def head_object(gateway: Gateway, asked: Asked) -> Answer:
    """The store is not asked, unless a part is: the entry knows everything else."""
    allow_object(gateway, asked, "fs:ReadObject")
    repository, entry = await find_entry(gateway, asked)
    wanted = await asked_bytes(asked.request, lambda number: part_of(gateway, repository, entry, number))
    return head_answer(asked.request, info_of(entry), wanted)
