# SPDX-License-Identifier: Apache-2.0
"""ListMultipartUploads: the unfinished uploads of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.objects.port import Upload
from lakehouse.s3.operations.uploads_listing import uploads_answer
from lakehouse.s3.repository.gateway import allow, split_key
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def list_multipart_uploads(gateway: Gateway, asked: Asked) -> Answer:
    """Keys are told without their branch; prefix and markers begin with it, as everywhere else, where keys do."""
    allow(gateway, asked, "fs:ListObjects")
    repository = asked.require_repository()
    only = asked.keys.only
    base = b"" if only is None else f"{only}/".encode()
    prefix = base + _raw(asked.request.query.get("prefix", ""))

    async def fetch(after: tuple[str, str], limit: int) -> tuple[list[Upload], bool]:
        found, more = await multipart.list_uploads(
            gateway.lake, repository, prefix=prefix, after=(base + _raw(after[0]), after[1]), limit=limit
        )
        return [Upload(line.key[len(base) :].decode(), line.id, line.created) for line in found], more

    return await uploads_answer(asked.request, fetch, shown=lambda key: split_key(key)[1] if only is None else key)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
