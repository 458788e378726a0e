# SPDX-License-Identifier: Apache-2.0
"""Branch protection: the setting as a whole, and the older operations on single rules."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lakehouse.wire.operation import REPOSITORY, Operation, need

_GET = need("branches:GetBranchProtectionRules", REPOSITORY)
_SET = need("branches:SetBranchProtectionRules", REPOSITORY)
_SETTINGS = "/repositories/{repository}/settings/branch_protection"
_RULES = "/repositories/{repository}/branch_protection"


class BranchProtectionRule(msgspec.Struct, frozen=True):
    """`pattern` is a glob over the whole name of a branch."""

    pattern: Annotated[str, msgspec.Meta(min_length=1)]


class BranchProtectionRuleDeletion(msgspec.Struct, frozen=True):
    pattern: str


GET_BRANCH_PROTECTION_RULES = Operation(
    name="get_branch_protection_rules",
    id="getBranchProtectionRules",
    method="GET",
    path=_SETTINGS,
    tag="protection",
    summary="Get the branch protection rules; their version is in the ETag header",
    allow=_GET,
    result=list[BranchProtectionRule],
)
SET_BRANCH_PROTECTION_RULES = Operation(
    name="set_branch_protection_rules",
    id="setBranchProtectionRules",
    method="PUT",
    path=_SETTINGS,
    tag="protection",
    summary="Replace the branch protection rules",
    allow=_SET,
    body=list[BranchProtectionRule],
    headers=("If-Match",),
    status=204,
)
CREATE_BRANCH_PROTECTION_RULE_PREFLIGHT = Operation(
    name="create_branch_protection_rule_preflight",
    id="createBranchProtectionRulePreflight",
    method="GET",
    path=_RULES + "/set_allowed",
    tag="protection",
    summary="Ask whether branch protection rules may be set",
    allow=_SET,
    status=204,
)
INTERNAL_GET_BRANCH_PROTECTION_RULES = Operation(
    name="internal_get_branch_protection_rules",
    id="internalGetBranchProtectionRules",
    method="GET",
    path=_RULES,
    tag="protection",
    summary="Get the branch protection rules",
    allow=_GET,
    result=list[BranchProtectionRule],
    deprecated=True,
)
INTERNAL_CREATE_BRANCH_PROTECTION_RULE = Operation(
    name="internal_create_branch_protection_rule",
    id="internalCreateBranchProtectionRule",
    method="POST",
    path=_RULES,
    tag="protection",
    summary="Add a branch protection rule",
    allow=_SET,
    body=BranchProtectionRule,
    status=204,
    deprecated=True,
)
INTERNAL_DELETE_BRANCH_PROTECTION_RULE = Operation(
    name="internal_delete_branch_protection_rule",
    id="internalDeleteBranchProtectionRule",
    method="DELETE",
    path=_RULES,
    tag="protection",
    summary="Remove a branch protection rule",
    allow=_SET,
    body=BranchProtectionRuleDeletion,
    status=204,
    also={404: None},
    deprecated=True,
)

OPERATIONS = (
    GET_BRANCH_PROTECTION_RULES,
    SET_BRANCH_PROTECTION_RULES,
    CREATE_BRANCH_PROTECTION_RULE_PREFLIGHT,
    INTERNAL_GET_BRANCH_PROTECTION_RULES,
    INTERNAL_CREATE_BRANCH_PROTECTION_RULE,
    INTERNAL_DELETE_BRANCH_PROTECTION_RULE,
)
