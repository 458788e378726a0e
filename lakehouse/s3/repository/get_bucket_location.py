# SPDX-License-Identifier: Apache-2.0
"""GetBucketLocation: the region that clients sign for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.repository.gateway import allow
from lakehouse.s3.xml import NAMESPACE, document

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def get_bucket_location(gateway: Gateway, asked: Asked) -> Answer:
    """Empty for us-east-1, as S3 has it."""
    allow(gateway, asked, "fs:ReadRepository")
    asked.require_repository()
    region = "" if gateway.region == "us-east-1" else gateway.region
    return xml_answer(document("LocationConstraint", region, namespace=NAMESPACE))
