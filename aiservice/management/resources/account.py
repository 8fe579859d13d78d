"""Who asks, and their access tokens. A token cannot make another: that is done on the portal's page, or on the command
line."""

from typing import Literal, cast

from pydantic import Field

from aiservice.kit.clock import iso
from aiservice.management.models import At, Given, Names, Page, PageQuery, Told, at
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.own_settings import Edit, OwnSettingsView
from aiservice.services.personal_tokens import TokenView


class Me(Told):
    id: str
    email: str
    role: Literal["admin", "developer"]
    token_id: str


class OwnSettingsGiven(Given):
    """What is left out stays as it is."""

    time_zone: str | None = Field(default=None, max_length=64, description="An IANA name, or UTC.")
    portal_only: Names | None = Field(default=None, description="Kinds of alerts of which no mail comes.")
    digest: Literal["never", "daily"] | None = Field(default=None, description="A mail with the alerts of the day.")


class OwnSettingsTold(Told):
    time_zone: str
    portal_only: list[str]
    digest: Literal["never", "daily"]


class TokenQuery(PageQuery):
    everybody: bool = Field(default=False, description="Everybody's, for admins.")


class TokenTold(Told):
    id: str
    owner: str
    name: str
    public_id: str
    scopes: list[Literal["read", "write"]]
    state: Literal["active", "expired", "revoked"]
    created_at: At
    expires_at: At
    last_used_at: At | None
    last_address: str | None


async def me(call: Call) -> Me:
    return Me(id=call.me.user_id, email=call.me.email, role=call.me.role.value, token_id=call.me.token_id)


async def get_settings(call: Call) -> OwnSettingsTold:
    return _settings(await call.core.own_settings.get(call.me))


async def set_settings(call: Call, given: OwnSettingsGiven) -> OwnSettingsTold:
    edit = cast(Edit, given.model_dump(exclude_none=True))
    return _settings(await call.core.own_settings.set(call.me, **edit))


def _settings(view: OwnSettingsView) -> OwnSettingsTold:
    return OwnSettingsTold(time_zone=view.time_zone, portal_only=list(view.portal_only), digest=view.digest)


async def list_tokens(call: Call, query: TokenQuery) -> Page[TokenTold]:
    found = await call.core.personal_tokens.list(call.me, of_everybody=query.everybody)
    data, cursor = page_of(found, lambda one: (one.id,), query, "tokens", newest_first=True)
    return Page[TokenTold](data=[_told(one) for one in data], next_cursor=cursor)


async def revoke_token(call: Call) -> None:
    await call.core.personal_tokens.revoke(call.me, call.args["token"])


def _told(one: TokenView) -> TokenTold:
    return TokenTold(
        id=one.id,
        owner=one.owner,
        name=one.name,
        public_id=one.public_id,
        scopes=["read", "write"] if one.may_write else ["read"],
        state=one.state,
        created_at=at(one.created_us),
        expires_at=at(one.expires_us),
        last_used_at=iso(one.last_used_us),
        last_address=one.last_address or None,
    )


ROWS = (
    Row("GET", "/api/account", "account.get", me, "Whose token this is"),
    Row("GET", "/api/account/settings", "account.settings", get_settings, "Your time zone and notifications"),
    Row("PATCH", "/api/account/settings", "account.settings", set_settings, "Change your time zone or notifications"),
    Row("GET", "/api/account/tokens", "access_token.list", list_tokens, "Your access tokens, newest first"),
    Row("DELETE", "/api/account/tokens/{token}", "access_token.revoke", revoke_token, "End a token", status=204),
)
