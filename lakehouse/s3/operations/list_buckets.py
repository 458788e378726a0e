# SPDX-License-Identifier: Apache-2.0
"""ListBuckets: repositories, and the buckets of the embedded store that the caller may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.xml import NAMESPACE, document, element, parent, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_buckets(
    physical: Physical,
    request: S3Request,
    *,
    allowed: bool,
    user: str,
    repositories: Sequence[tuple[str, int]] = (),
) -> Answer:
    """`repositories` (name and time of creation) first; of the store's own buckets those that `prefix` of the query
    selects, if the caller is allowed to use them.
    """
    prefix = request.query.get("prefix", "")
    names = {*physical.buckets.names, *physical.buckets.filled()} if allowed else set()
    found = [*repositories, *((name, 0) for name in names if name.startswith(prefix))]
    buckets = [
        parent("Bucket", element("Name", name), element("CreationDate", timestamp(made)))
        for name, made in sorted(found)
    ]
    owner = parent("Owner", element("ID", user), element("DisplayName", user))
    return xml_answer(document("ListAllMyBucketsResult", owner, parent("Buckets", *buckets), namespace=NAMESPACE))
