# SPDX-License-Identifier: Apache-2.0
"""The `token` of a StagingLocation: says which state of a branch an address was handed out in.

It is a signature over repository, branch and the branch's epoch, which grows when staged data leaves the branch by a
successful commit or a reset of everything. A seal, a failed commit or a merge leaves it valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidToken
from lakehouse.core.signing import decode, encode

if TYPE_CHECKING:
    from lakehouse.core.records import Branch, Repository
    from lakehouse.core.signing import Signer

_fields = msgspec.msgpack.Decoder(tuple[int, int, int])


def issue(signer: Signer, repository: Repository, branch: Branch) -> str:
    """The token of the branch as it is now. The same state gives the same token."""
    fields = (repository.id, branch.id, branch.epoch)
    return f"{encode(msgspec.msgpack.encode(fields))}.{signer.sign_again(('staging-token', *fields))}"


def epoch_of(signer: Signer, repository: Repository, branch: Branch, token: str) -> int:
    """The epoch that a token was issued in. Raises InvalidToken when it is forged or another branch's."""
    head, _, signature = token.partition(".")
    raw = decode(head)
    try:
        fields = _fields.decode(raw or b"")
    except msgspec.MsgspecError as error:
        raise InvalidToken from error
    if not signer.verify(("staging-token", *fields), signature):
        raise InvalidToken
    if fields[:2] != (repository.id, branch.id):
        raise InvalidToken("staging token of another repository or branch: link address invalid")
    return fields[2]
