"""People: accounts, their roles and browsers, and one-time links, which are told once."""

from typing import Literal

from pydantic import Field

from aiservice.errors import NotFound
from aiservice.kit.clock import iso
from aiservice.management.models import At, Given, Page, PageQuery, Told, at
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.principal import Role
from aiservice.services.administration import PersonSummary

RoleName = Literal["admin", "developer"]


class NewUser(Given):
    email: str = Field(max_length=320)
    password: str = Field(min_length=8, max_length=1_024, repr=False)
    role: RoleName = "developer"


class UserChange(Given):
    """What is left out stays as it is."""

    role: RoleName | None = None
    disabled: bool | None = None


class Invite(Given):
    email: str = Field(max_length=320)
    role: RoleName = "developer"


class UserTold(Told):
    id: str
    email: str
    role: RoleName
    disabled: bool
    second_factor: bool
    created_at: At
    last_seen_at: At | None


class OneTimeLink(Told):
    """A one-time link. A replay of the call that made it holds none."""

    email: str
    url: str | None = Field(description="Told once.")
    already_issued: bool = False


class SessionTold(Told):
    """A signed-in browser. Its id opens nothing."""

    id: str
    created_at: At
    last_seen_at: At
    expires_at: At
    address: str
    user_agent: str


async def list_all(call: Call, query: PageQuery) -> Page[UserTold]:
    people = await call.core.accounts.list_users(call.me)
    data, cursor = page_of(people, lambda one: (one.email, one.user_id), query, "users")
    return Page[UserTold](data=[_told(one) for one in data], next_cursor=cursor)


async def create(call: Call, given: NewUser) -> UserTold:
    made = await call.core.accounts.create_user(call.me, given.email, given.password, Role(given.role))
    return _told(await _found(call, made.user_id))


async def get(call: Call) -> UserTold:
    return _told(await _found(call, call.args["user"]))


async def update(call: Call, given: UserChange) -> UserTold:
    accounts = call.core.accounts
    person = await _found(call, call.args["user"])
    if given.role is not None:
        await accounts.set_role(call.me, person.user_id, Role(given.role))
    if given.disabled is not None:
        await (accounts.disable_user if given.disabled else accounts.enable_user)(call.me, person.user_id)
    return _told(await _found(call, person.user_id))


async def invite(call: Call, given: Invite) -> OneTimeLink:
    path = await call.core.accounts.invite(call.me, given.email, Role(given.role))
    return OneTimeLink(email=given.email, url=call.core.accounts.link_url(path))


async def reset_link(call: Call) -> OneTimeLink:
    person = await _found(call, call.args["user"])
    path = await call.core.accounts.reset_link(call.me, person.user_id)
    return OneTimeLink(email=person.email, url=call.core.accounts.link_url(path))


async def list_sessions(call: Call, query: PageQuery) -> Page[SessionTold]:
    found = await call.core.accounts.sessions_of(call.me, call.args["user"])
    data, cursor = page_of(found, lambda one: (one.created_us, one.session_hash), query, "sessions", newest_first=True)
    told = [
        SessionTold(
            id=one.session_hash,
            created_at=at(one.created_us),
            last_seen_at=at(one.last_seen_us),
            expires_at=at(one.expires_us),
            address=one.address,
            user_agent=one.user_agent,
        )
        for one in data
    ]
    return Page[SessionTold](data=told, next_cursor=cursor)


async def end_session(call: Call) -> None:
    known = {one.session_hash for one in await call.core.accounts.sessions_of(call.me, call.args["user"])}
    if call.args["session"] not in known:
        raise NotFound("There is no such session.", code="session_not_found")
    await call.core.accounts.revoke_session(call.me, call.args["session"])


async def _found(call: Call, ref: str) -> PersonSummary:
    """One account, by its id or address. Raises: PermissionDenied, NotFound."""
    for one in await call.core.accounts.list_users(call.me):
        if ref in (one.user_id, one.email):
            return one
    raise NotFound("There is no such person.", code="user_not_found")


def _told(one: PersonSummary) -> UserTold:
    return UserTold(
        id=one.user_id,
        email=one.email,
        role=one.role.value,
        disabled=one.is_disabled,
        second_factor=one.has_second_factor,
        created_at=at(one.created_us),
        last_seen_at=iso(one.last_seen_us),
    )


_ONE = "/api/users/{user}"
ROWS = (
    Row("GET", "/api/users", "person.list", list_all, "All accounts, by address"),
    Row("POST", "/api/users", "person.create", create, "Make an account", status=201),
    Row("GET", _ONE, "person.list", get, "One account, by id or address"),
    Row("PATCH", _ONE, "person.role", update, "Change a role; disable or enable an account"),
    Row("POST", "/api/invites", "person.invite", invite, "Invite somebody", status=201, secrets=("url",)),
    Row(
        "POST",
        f"{_ONE}/reset-link",
        "person.reset_link",
        reset_link,
        "A link to choose a new password",
        status=201,
        secrets=("url",),
    ),
    Row("GET", f"{_ONE}/sessions", "session.list", list_sessions, "A person's signed-in browsers"),
    Row("DELETE", f"{_ONE}/sessions/{{session}}", "session.end", end_session, "Sign a browser out", status=204),
)
