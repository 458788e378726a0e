# SPDX-License-Identifier: Apache-2.0
"""GetBucketLocation: the region, which S3 leaves empty when it is us-east-1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.xml import NAMESPACE, document

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def get_bucket_location(physical: Physical, request: S3Request) -> Answer:
    region = "" if physical.region == "us-east-1" else physical.region
    return xml_answer(document("LocationConstraint", region, namespace=NAMESPACE))
