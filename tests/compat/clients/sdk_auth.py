# SPDX-License-Identifier: Apache-2.0
# environment: today
"""lakefs-sdk: users, groups, policies, credentials, ACLs and external principals; what each role may do."""

from __future__ import annotations

import checks
import lakefs_sdk
from checks import API, KEY, SECRET, equal, fails, fresh, namespace
from lakefs_sdk.client import LakeFSClient
from lakefs_sdk.exceptions import (
    ApiException,
    BadRequestException,
    NotFoundException,
    UnauthorizedException,
)

LAKE = LakeFSClient(lakefs_sdk.Configuration(host=API, username=KEY, password=SECRET))
AUTH = LAKE.auth_api
EXTERNAL = LAKE.external_api
DENIED = "insufficient permissions: not allowed to"


def statement(*actions: str, on: str = "*", effect: str = "allow") -> lakefs_sdk.Statement:
    return lakefs_sdk.Statement(effect=effect, resource=on, action=list(actions))


def new_user(*groups: str) -> str:
    name = fresh("user")
    equal(AUTH.create_user(user_creation=lakefs_sdk.UserCreation(id=name)).id, name)
    for group in groups:
        AUTH.add_group_membership(group, name)
    return name


def client_of(name: str) -> LakeFSClient:
    pair = AUTH.create_credentials(name)
    return LakeFSClient(
        lakefs_sdk.Configuration(host=API, username=pair.access_key_id, password=pair.secret_access_key)
    )


def names(fetch, key: str = "id") -> list[str]:
    """Every name of a list, page by page."""
    found, after = [], ""
    while True:
        page = fetch(after=after, amount=2)
        found += [getattr(one, key) for one in page.results]
        if not page.pagination.has_more:
            return found
        after = page.pagination.next_offset


def new_repository() -> str:
    name = fresh("auth")
    LAKE.repositories_api.create_repository(lakefs_sdk.RepositoryCreation(name=name, storage_namespace=namespace(name)))
    return name


def check_users() -> None:
    name = new_user()
    equal(AUTH.get_user(name).friendly_name, name)
    assert name in names(AUTH.list_users)
    with fails(ApiException, status=409):
        AUTH.create_user(user_creation=lakefs_sdk.UserCreation(id=name))
    with fails(BadRequestException, status=400):
        AUTH.create_user(user_creation=lakefs_sdk.UserCreation(id="a%b"))
    with fails(ApiException, status=501):
        AUTH.create_user(user_creation=lakefs_sdk.UserCreation(id=fresh("u"), invite_user=True))
    AUTH.delete_user(name)
    with fails(NotFoundException, status=404, says="user not found"):
        AUTH.get_user(name)


def check_groups() -> None:
    group, user = fresh("group"), new_user()
    equal(AUTH.create_group(group_creation=lakefs_sdk.GroupCreation(id=group)).id, group)
    assert {"Admins", "SuperUsers", "Developers", "Viewers", group} <= set(names(AUTH.list_groups))
    AUTH.add_group_membership(group, user)
    equal(names(lambda **page: AUTH.list_group_members(group, **page)), [user])
    equal(names(lambda **page: AUTH.list_user_groups(user, **page)), [group])
    AUTH.delete_group_membership(group, user)
    equal(names(lambda **page: AUTH.list_group_members(group, **page)), [])
    AUTH.delete_group(group)
    with fails(NotFoundException, status=404, says="group not found"):
        AUTH.get_group(group)


def check_policies() -> None:
    name, group, user = fresh("policy"), fresh("group"), new_user()
    made = AUTH.create_policy(lakefs_sdk.Policy(id=name, statement=[statement("fs:ReadObject")]))
    equal(made.statement[0].action, ["fs:ReadObject"])
    made.statement = [statement("fs:List*", effect="deny")]
    equal(AUTH.update_policy(name, made).statement[0].effect, "deny")
    with fails(BadRequestException, status=400):
        AUTH.create_policy(lakefs_sdk.Policy(id=fresh("p"), statement=[statement("fs:Fly")]))
    AUTH.attach_policy_to_user(user, name)
    equal(names(lambda **page: AUTH.list_user_policies(user, **page)), [name])
    AUTH.create_group(group_creation=lakefs_sdk.GroupCreation(id=group))
    AUTH.add_group_membership(group, user)
    AUTH.attach_policy_to_group(group, "FSReadAll")
    equal(names(lambda **page: AUTH.list_group_policies(group, **page)), ["FSReadAll"])
    equal(names(lambda **page: AUTH.list_user_policies(user, effective=True, **page)), sorted(["FSReadAll", name]))
    AUTH.detach_policy_from_group(group, "FSReadAll")
    AUTH.detach_policy_from_user(user, name)
    equal(names(lambda **page: AUTH.list_user_policies(user, effective=True, **page)), [])
    AUTH.delete_policy(name)
    assert name not in names(AUTH.list_policies)


def check_credentials() -> None:
    user = new_user("Viewers")
    old, new = AUTH.create_credentials(user), AUTH.create_credentials(user)
    equal((len(old.access_key_id), len(old.secret_access_key)), (20, 40))
    listed = names(lambda **page: AUTH.list_user_credentials(user, **page), key="access_key_id")
    equal(listed, sorted([old.access_key_id, new.access_key_id]))
    equal(AUTH.get_credentials(user, old.access_key_id).access_key_id, old.access_key_id)
    first = LakeFSClient(lakefs_sdk.Configuration(host=API, username=old.access_key_id, password=old.secret_access_key))
    equal(first.auth_api.get_current_user().user.id, user)
    AUTH.delete_credentials(user, old.access_key_id)
    with fails(UnauthorizedException, status=401, says="error authenticating request"):
        first.auth_api.get_current_user()


def check_acl() -> None:
    group = fresh("group")
    AUTH.create_group(group_creation=lakefs_sdk.GroupCreation(id=group))
    equal(AUTH.get_group_acl(group).permission, "")
    for permission in ("Read", "Write", "Super", "Admin"):
        AUTH.set_group_acl(group, lakefs_sdk.ACL(permission=permission))
        equal(AUTH.get_group_acl(group).permission, permission)
    AUTH.attach_policy_to_group(group, "FSReadAll")
    with fails(NotFoundException, status=404, says="no_acl"):
        AUTH.get_group_acl(group)


def check_external_principals() -> None:
    user, principal = new_user(), fresh("arn:aws:sts::1:assumed-role/")
    EXTERNAL.create_user_external_principal(user, principal)
    equal(EXTERNAL.get_external_principal(principal).user_id, user)
    equal(names(lambda **page: EXTERNAL.list_user_external_principals(user, **page)), [principal])
    EXTERNAL.delete_user_external_principal(user, principal)
    with fails(NotFoundException, status=404):
        EXTERNAL.get_external_principal(principal)


def check_roles() -> None:
    repository = new_repository()
    reading = lambda lake: lake.branches_api.list_branches(repository)  # noqa: E731
    writing = lambda lake: lake.objects_api.upload_object(repository, "main", "a", content=b"x")  # noqa: E731
    managing = lambda lake: lake.repositories_api.set_branch_protection_rules(repository, [])  # noqa: E731
    administering = lambda lake: lake.auth_api.list_users()  # noqa: E731
    doings = (reading, writing, managing, administering)
    for group, may in (("", 0), ("Viewers", 1), ("Developers", 2), ("SuperUsers", 2), ("Admins", 4)):
        lake = client_of(new_user(*([group] if group else [])))
        for number, doing in enumerate(doings):
            if number < may:
                doing(lake)
            else:
                with fails(UnauthorizedException, status=401, says=DENIED):
                    doing(lake)
        equal(lake.config_api.get_config().version_config.version, "1.84.0")


def check_a_login_of_ones_own() -> None:
    user = new_user("Viewers")
    pair = AUTH.create_credentials(user)
    token = AUTH.login(
        login_information=lakefs_sdk.LoginInformation(
            access_key_id=pair.access_key_id, secret_access_key=pair.secret_access_key
        )
    ).token
    lake = LakeFSClient(lakefs_sdk.Configuration(host=API, access_token=token))
    equal(lake.auth_api.get_current_user().user.id, user)
    AUTH.delete_user(user)
    with fails(UnauthorizedException, status=401):
        lake.auth_api.get_current_user()


def check_how_users_are_managed() -> None:
    equal(LAKE.internal_api.get_setup_state().login_config.rbac, "internal")
    equal(LAKE.internal_api.get_auth_capabilities().invite_user, False)


if __name__ == "__main__":
    checks.run(globals())
