# SPDX-License-Identifier: Apache-2.0
"""Signed URLs: whoever has one may do one thing to one key, for a while, with no header at all.

The signature covers method, account, storage type, key and times, so nothing of a URL can be changed. It acts in the
name of its account, and ends early when that is deleted, revokes its sessions or may no longer do what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from lakehouse.core.errors import PermissionDenied
from lakehouse.core.ids import UserId
from lakehouse.wire.kv import ROOT, SignedQuery

if TYPE_CHECKING:
    from lakehouse.core.records import User
    from lakehouse.core.signing import Signer

_PURPOSE = "storage-value"


def signed_url(signer: Signer, method: str, user: User, kind: str, key: str, *, endpoint: str, times: range) -> str:
    """A URL, in ASCII, that is good from the first of `times` (seconds) up to before its end. `method` GET or PUT."""
    signature = signer.sign((_PURPOSE, method, user.id, kind, key, times.start, times.stop))
    named = f"key={quote(key, safe='')}&account={user.id}&issued={times.start}&expires={times.stop}"
    return f"{endpoint}{ROOT}/{quote(kind, safe='')}/signed?{named}&signature={signature}"


def check_signed(signer: Signer, method: str, kind: str, query: SignedQuery, *, now: int) -> UserId:
    """In whose name the URL was signed. Raises PermissionDenied for one that is not ours or no longer good."""
    covered = (_PURPOSE, method, query.account, kind, query.key, query.issued, query.expires)
    if not signer.verify(covered, query.signature):
        raise PermissionDenied(f"this URL was not signed for {method} of this key: it may have been changed")
    if query.expires <= now:
        raise PermissionDenied("this URL has expired: ask for a new one")
    return UserId(query.account)
