# SPDX-License-Identifier: Apache-2.0
"""The error objects of the wire."""

from __future__ import annotations

import msgspec

ERROR_HEADER = "X-Lakehouse-Error"
"""Response header with the stable code of the error, from which SDKs rebuild its class."""
REQUEST_ID_HEADER = "X-Request-ID"


class Error(msgspec.Struct, frozen=True):
    """The body of every error but two: see `MergeResult` and `StagingLocation`."""

    message: str


class ObjectError(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong with one object of many."""

    status_code: int
    message: str
    path: str | msgspec.UnsetType = msgspec.UNSET


class ObjectErrorList(msgspec.Struct, frozen=True):
    errors: list[ObjectError]
