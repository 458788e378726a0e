# SPDX-License-Identifier: Apache-2.0
"""GetBucketVersioning: empty, because the versions of a repository are its commits, which S3 has no word for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.repository.gateway import allow
from lakehouse.s3.xml import NAMESPACE, document

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def get_bucket_versioning(gateway: Gateway, asked: Asked) -> Answer:
    allow(gateway, asked, "fs:ReadRepository")
    asked.require_repository()
    return xml_answer(document("VersioningConfiguration", namespace=NAMESPACE))
