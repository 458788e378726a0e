# SPDX-License-Identifier: Apache-2.0
"""Numbers of the wire with their bounds: what is outside of them cannot be stored, sorted or shown as a date."""

from __future__ import annotations

from typing import Annotated

import msgspec

LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last that HTTP's and RFC 3339's dates can say."""

Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Bytes."""
Time = Annotated[int, msgspec.Meta(ge=0, le=LAST_SECOND)]
"""Seconds since 1970."""
