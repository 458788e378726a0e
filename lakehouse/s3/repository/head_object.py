# SPDX-License-Identifier: Apache-2.0
"""HeadObject: what GetObject would answer, without the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.operations.head_object import head_answer
from lakehouse.s3.repository.facts import find_entry, info_of
from lakehouse.s3.repository.gateway import allow_object

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def head_object(gateway: Gateway, asked: Asked) -> Answer:
    """The store is not asked: the entry knows everything."""
    allow_object(gateway, asked, "fs:ReadObject")
    _, entry = await find_entry(gateway, asked)
    return head_answer(asked.request, info_of(entry))
