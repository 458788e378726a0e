# SPDX-License-Identifier: Apache-2.0
"""Where an object is to be uploaded: apart from the other records, because errors tell it too."""

from __future__ import annotations

import msgspec


class StagingLocation(msgspec.Struct, frozen=True):
    """Where to upload an object that is then linked. `expires` (of the URL) in seconds."""

    physical_address: str
    token: str
    presigned_url: str | None = None
    expires: int | None = None
