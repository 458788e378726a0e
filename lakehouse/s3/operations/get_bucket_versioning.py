# SPDX-License-Identifier: Apache-2.0
"""GetBucketVersioning: buckets of the embedded store keep no versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.xml import NAMESPACE, document

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def get_bucket_versioning(physical: Physical, request: S3Request) -> Answer:
    return xml_answer(document("VersioningConfiguration", namespace=NAMESPACE))
