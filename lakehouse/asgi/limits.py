# SPDX-License-Identifier: Apache-2.0
"""How much a request may ask of the server."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes. A JSON body above `json_body` is refused (400, BodyTooLarge), unread if it announces its length;
    one above `off_loop` is decoded in a thread. Object bodies and batches of links are streams and have no limit here.
    """

    json_body: int = 16 * 1024 * 1024
    off_loop: int = 256 * 1024
