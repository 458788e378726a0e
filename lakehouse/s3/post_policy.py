# SPDX-License-Identifier: Apache-2.0
"""The policy of an upload by a form: what its signer allows whoever has the form to send, and until when.

Every field must be covered by a condition, so that nothing can be added to a form that was handed out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core.sigv4 import ALGORITHM, Scope, signature
from lakehouse.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.core.sigv4 import SigningKeys

_UNCOVERED = frozenset({"policy", "x-amz-signature", "file"})
_IGNORED = "x-ignore-"


class FormClaim(msgspec.Struct, frozen=True):
    """A signature of version 4 over a policy, as a form carries it."""

    access_key_id: str
    scope: Scope
    signature: str
    policy: str

    def check(self, secret: str | None, keys: SigningKeys) -> None:
        """Raise S3Error unless `secret` made this signature; None: there is no such key."""
        made = signature(keys.key(secret or "", self.scope), self.policy)
        same = hmac.compare_digest(made.encode(), self.signature.encode("utf-8", "surrogateescape"))
        if secret is None:
            raise S3Error("AccessDenied", "the access key is not known here, or may not be used this way")
        if not same:
            raise S3Error(
                "SignatureDoesNotMatch",
                "the signature of the policy is not the one that the server computes: check the secret key",
            )


class Policy(msgspec.Struct, frozen=True):
    """`conditions` as they are written; `expiration` in ISO 8601."""

    expiration: str
    conditions: list[Any]


class Sizes(msgspec.Struct, frozen=True):
    """How many bytes the file may have."""

    least: int = 0
    most: int | None = None


def read_form_claim(fields: Mapping[str, str]) -> FormClaim:
    """The claim that a form makes. Raises S3Error, AccessDenied when it makes none."""
    if "policy" not in fields:
        raise S3Error("AccessDenied", "Access Denied.")
    if fields.get("x-amz-algorithm") != ALGORITHM:
        raise S3Error("InvalidRequest", f"forms are signed with signature version 4: x-amz-algorithm is {ALGORITHM}")
    parts = fields.get("x-amz-credential", "").rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not fields.get("x-amz-date", "").startswith(parts[1]):
        raise S3Error("InvalidRequest", "x-amz-credential must be <access key id>/<date>/<region>/s3/aws4_request")
    return FormClaim(parts[0], Scope(*parts[1:4]), fields.get("x-amz-signature", ""), fields["policy"])


def read_policy(text: str) -> Policy:
    """The policy of a form. Raises S3Error InvalidPolicyDocument."""
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=Policy)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError) as error:
        raise _not_a_policy("it is not JSON of expiration and conditions in base64") from error


def check_policy(policy: Policy, fields: Mapping[str, str], *, now: float) -> Sizes:
    """What the file may be, if the policy allows these fields (`bucket` and the final `key` among them).

    Raises S3Error InvalidPolicyDocument, AccessDenied.
    """
    if _seconds(policy.expiration) <= now:
        raise _refused("Policy expired.")
    sizes, covered = Sizes(), set()
    for condition in policy.conditions:
        match condition:
            case dict():
                for name, value in condition.items():
                    _require(fields, name, "eq", value)
                    covered.add(name.lower())
            case ["content-length-range", int(least), int(most)]:
                limit = most if sizes.most is None else min(most, sizes.most)
                sizes = Sizes(max(least, sizes.least), limit)
            case [str(kind), str(name), str(value)] if name.startswith("$") and kind.lower() in ("eq", "starts-with"):
                _require(fields, name[1:], kind.lower(), value)
                covered.add(name[1:].lower())
            case _:
                raise _not_a_policy(f"this condition is not understood: {condition!r:.100}")
    extra = [name for name in fields if name not in covered | _UNCOVERED and not name.startswith(_IGNORED)]
    if extra:
        raise _refused(f"Extra input fields: {', '.join(sorted(extra))}")
    return sizes


def _require(fields: Mapping[str, str], name: str, kind: str, value: object) -> None:
    if not isinstance(value, str):
        raise _not_a_policy(f"the value for {name} is no text")
    found = fields.get(name.lower(), "")
    if kind == "starts-with" and name.lower() == "content-type" and "," in found:
        holds = all(one.strip().startswith(value) for one in found.split(","))
    else:
        holds = found.startswith(value) if kind == "starts-with" else found == value
    if not holds:
        raise _refused(f'Policy Condition failed: ["{kind}", "${name}", "{value}"]')


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text):
        raise _not_a_policy("its expiration is not of the form YYYY-MM-DDTHH:MM:SSZ")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise _not_a_policy("its expiration is no time") from error


def _refused(why: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {why}")


def _not_a_policy(why: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"the content of the form does not have a valid policy: {why}")
