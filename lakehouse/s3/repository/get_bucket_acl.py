# SPDX-License-Identifier: Apache-2.0
"""GetBucketAcl: the caller has full control, for clients that look before they work. Permissions are the lake's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.repository.gateway import allow
from lakehouse.s3.xml import NAMESPACE, document, element, parent

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway

_GRANTEE = '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'


async def get_bucket_acl(gateway: Gateway, asked: Asked) -> Answer:
    user = allow(gateway, asked, "fs:ReadRepository")
    asked.require_repository()
    who = element("ID", user.name) + element("DisplayName", user.name)
    grant = parent("Grant", f"{_GRANTEE}{who}</Grantee>", element("Permission", "FULL_CONTROL"))
    told = (parent("Owner", who), parent("AccessControlList", grant))
    return xml_answer(document("AccessControlPolicy", *told, namespace=NAMESPACE))
