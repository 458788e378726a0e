# SPDX-License-Identifier: Apache-2.0
"""Whether the server is alive."""

from __future__ import annotations

from lakehouse.wire.operation import NOBODY_ASKED, Operation

HEALTH_CHECK = Operation(
    name="health_check",
    id="healthCheck",
    method="GET",
    path="/healthcheck",
    tag="health",
    summary="Tell that the server is alive",
    allow=NOBODY_ASKED,
    status=204,
)

OPERATIONS = (HEALTH_CHECK,)
