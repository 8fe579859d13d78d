"""Single sign-on: OpenID providers, and whether people may still come in another way. For admins. A client secret is
taken and never told again; who may use a password all the same, only the server's command line says."""

from typing import Any, cast

from pydantic import Field

from aiservice.kit.clock import iso
from aiservice.kit.secret import Secret
from aiservice.management.models import At, Given, Names, Page, PageQuery, Told
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.sso_terms import Edit, SsoView


class SsoTerms(Given):
    """What a provider is configured with. What is left out stays as it is."""

    label: str | None = Field(default=None, max_length=60, description="What the button says.")
    client_id: str | None = Field(default=None, max_length=255)
    scopes: str | None = Field(default=None, max_length=300, description="Separated by spaces; openid is always among.")
    domains: Names | None = Field(default=None, description="Only addresses at these; none for all.")
    role_claim: str | None = Field(default=None, max_length=200, description="The claim with the groups; dots lead in.")
    admin_groups: Names | None = Field(default=None, description="Whose people are admins.")
    developer_groups: Names | None = Field(default=None, description="Whose people may come in; none for all.")
    makes_accounts: bool | None = Field(default=None, description="Somebody new gets an account.")
    trusts_addresses: bool | None = Field(default=None, description="As if every address were verified (Entra ID).")
    asks_second_factor: bool | None = Field(default=None, description="Ours, beside what the provider asks.")
    allow_private: bool | None = Field(default=None, description="Its addresses may be private, and plain http.")


class NewSso(SsoTerms):
    name: str = Field(min_length=1, max_length=32, description="It stands in the redirect URI.")
    issuer: str = Field(min_length=1, max_length=512, description="As the provider's own document writes it.")
    client_id: str = Field(min_length=1, max_length=255)
    client_secret: str | None = Field(default=None, max_length=4_096, repr=False, description="Null: a public client.")


class SsoChange(SsoTerms):
    disabled: bool | None = Field(default=None, description="Whether its button is off the sign-in page.")


class SsoSecret(Given):
    client_secret: str = Field(min_length=1, max_length=4_096, repr=False)


class SsoRuleGiven(Given):
    required: bool = Field(description="Nothing else opens a session: no password, passkey, link or sign-up.")


class SsoRuleTold(Told):
    """`break_glass` is the address of the admin whose password opens the portal all the same."""

    required: bool
    break_glass: str | None


class SsoTold(Told):
    id: str
    name: str
    label: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: str
    domains: list[str]
    role_claim: str | None
    admin_groups: list[str]
    developer_groups: list[str]
    makes_accounts: bool
    trusts_addresses: bool
    asks_second_factor: bool
    allow_private: bool
    disabled: bool
    people: int
    redirect_uri: str
    signed_out_uri: str
    tried_at: At | None


class SsoChecked(Told):
    """What the provider says of itself now."""

    keys: int
    userinfo: bool
    sign_out: bool


async def list_all(call: Call, query: PageQuery) -> Page[SsoTold]:
    data, cursor = page_of(await call.core.sso.list(call.me), lambda one: (one.name,), query, "sso")
    return Page[SsoTold](data=[_told(one) for one in data], next_cursor=cursor)


async def add(call: Call, given: NewSso) -> SsoTold:
    secret = None if given.client_secret is None else Secret(given.client_secret)
    return _told(await call.core.sso.add(call.me, given.name, given.issuer, secret, **_edit(given)))


async def get(call: Call) -> SsoTold:
    return _told(await call.core.sso.find(call.me, call.args["provider"]))


async def change(call: Call, given: SsoChange) -> SsoTold:
    sso, name = call.core.sso, call.args["provider"]
    edit = _edit(given)
    view = await sso.change(call.me, name, **edit) if edit else await sso.find(call.me, name)
    if given.disabled is not None:
        view = await sso.switch(call.me, name, is_enabled=not given.disabled)
    return _told(view)


async def remove(call: Call) -> None:
    await call.core.sso.remove(call.me, call.args["provider"])


async def set_secret(call: Call, given: SsoSecret) -> SsoTold:
    return _told(await call.core.sso.set_secret(call.me, call.args["provider"], Secret(given.client_secret)))


async def check(call: Call) -> SsoChecked:
    found = await call.core.sso.check(call.me, call.args["provider"])
    return SsoChecked(keys=found.keys, userinfo=found.has_userinfo, sign_out=found.has_sign_out)


async def get_rule(call: Call) -> SsoRuleTold:
    rule = await call.core.sso.rules.policy(call.me)
    return SsoRuleTold(required=rule.is_required, break_glass=rule.break_glass or None)


async def set_rule(call: Call, given: SsoRuleGiven) -> SsoRuleTold:
    await call.core.sso.rules.require(call.me, is_required=given.required)
    return await get_rule(call)


async def unlink(call: Call) -> None:
    await call.core.sso.rules.unlink(call.me, call.args["user"])


def _edit(given: SsoTerms) -> Edit:
    said: dict[str, Any] = given.model_dump(include=set(SsoTerms.model_fields), exclude_none=True)
    if "allow_private" in said:
        said["is_private_allowed"] = said.pop("allow_private")
    return cast(Edit, said)


def _told(one: SsoView) -> SsoTold:
    return SsoTold(
        id=one.id,
        name=one.name,
        label=one.label,
        issuer=one.issuer,
        client_id=one.client_id,
        has_secret=one.has_secret,
        scopes=one.scopes,
        domains=list(one.domains),
        role_claim=one.role_claim or None,
        admin_groups=list(one.admin_groups),
        developer_groups=list(one.developer_groups),
        makes_accounts=one.makes_accounts,
        trusts_addresses=one.trusts_addresses,
        asks_second_factor=one.asks_second_factor,
        allow_private=one.is_private_allowed,
        disabled=not one.is_enabled,
        people=one.people,
        redirect_uri=one.redirect_uri,
        signed_out_uri=one.signed_out_uri,
        tried_at=iso(one.tried_us),
    )


_ONE = "/api/sso/{provider}"
ROWS = (
    Row("GET", "/api/sso", "sso.list", list_all, "OpenID providers, by name"),
    Row("POST", "/api/sso", "sso.change", add, "Add a provider, switched off", status=201),
    Row("GET", _ONE, "sso.list", get, "One provider, by name or id"),
    Row("PATCH", _ONE, "sso.change", change, "Change a provider, or switch it"),
    Row("DELETE", _ONE, "sso.change", remove, "Remove a provider and its secret", status=204),
    Row("POST", f"{_ONE}/set-secret", "sso.set_secret", set_secret, "Set another client secret"),
    Row("POST", f"{_ONE}/check", "sso.check", check, "Read the provider's document and keys now", reads=True),
    Row("GET", "/api/sso-rule", "sso.list", get_rule, "Whether people may come in another way"),
    Row("PUT", "/api/sso-rule", "sso.require", set_rule, "Require single sign-on, or do not"),
    Row("DELETE", "/api/users/{user}/sso", "sso.unlink", unlink, "Forget who a person is to providers", status=204),
)
