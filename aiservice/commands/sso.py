"""`sso`: single sign-on by OpenID Connect. The client secret comes on standard input and is never shown again."""

from typing import Annotated, Any, cast

import typer

from aiservice.commands.console import (
    JsonFlag,
    examples,
    group,
    read_optional_secret,
    read_secret,
    show,
    show_table,
    usage_error,
)
from aiservice.commands.opening import run
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.sso import Checked
from aiservice.services.sso_policy import SsoPolicy
from aiservice.services.sso_terms import Edit, SsoView

sso = group("Single sign-on (OpenID Connect): providers, and whether people may still come in another way.")

Which = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name.")]
Label = Annotated[str | None, typer.Option("--label", help="What the button on the sign-in page says.")]
Scopes = Annotated[str | None, typer.Option("--scopes", help="Separated by spaces.")]
Domain = Annotated[
    list[str] | None, typer.Option("--domain", help="Only addresses at this domain; repeatable; 'any' for all.")
]
RoleClaim = Annotated[str | None, typer.Option("--role-claim", help="The claim with the groups, such as groups.")]
AdminGroup = Annotated[list[str] | None, typer.Option("--admin-group", help="Its people are admins; repeatable.")]
DeveloperGroup = Annotated[
    list[str] | None, typer.Option("--developer-group", help="Its people may come in; repeatable; none for all.")
]
MakesAccounts = Annotated[
    bool | None, typer.Option("--accounts/--no-accounts", help="Whether somebody new gets an account.")
]
TrustsAddresses = Annotated[
    bool | None,
    typer.Option("--trust-addresses/--no-trust-addresses", help="Take every address for verified (Entra ID)."),
]
SecondFactor = Annotated[
    bool | None, typer.Option("--second-factor/--no-second-factor", help="Ask for ours beside what the provider asks.")
]
AllowPrivate = Annotated[
    bool | None, typer.Option("--allow-private/--no-allow-private", help="Private addresses and plain http.")
]


@sso.command(
    "add",
    action="sso.change",
    short_help="Add a provider, switched off.",
    epilog=examples(
        "sso add work --issuer https://id.example.org/realms/main --client-id aiservice < client-secret.txt",
        "sso add work --issuer … --client-id … --role-claim groups --admin-group ops < client-secret.txt",
    ),
)
def add(
    name: Which,
    issuer: Annotated[str, typer.Option("--issuer", help="As the provider's discovery document writes it.")],
    client_id: Annotated[str, typer.Option("--client-id", help="What the provider calls this installation.")],
    label: Label = None,
    scopes: Scopes = None,
    domain: Domain = None,
    role_claim: RoleClaim = None,
    admin_group: AdminGroup = None,
    developer_group: DeveloperGroup = None,
    accounts: MakesAccounts = None,
    trust_addresses: TrustsAddresses = None,
    second_factor: SecondFactor = None,
    allow_private: AllowPrivate = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a provider. Its client secret comes on standard input; none for a public client. Enable it when a test
    went well."""
    edit = _edit(
        client_id=client_id, label=label, scopes=scopes, domains=domain, role_claim=role_claim,
        admin_groups=admin_group, developer_groups=developer_group, makes_accounts=accounts,
        trusts_addresses=trust_addresses, asks_second_factor=second_factor, is_private_allowed=allow_private,
    )  # fmt: skip
    secret = read_optional_secret("The client secret")
    view = run(lambda core: core.sso.add(OPERATOR, name, issuer, secret, **edit), as_json=as_json)
    lines = [
        f"Added {view.name}, switched off.",
        f"Enter this redirect URI there:  {view.redirect_uri}",
        f"And for signing out:            {view.signed_out_uri}",
        f"Next: python -m aiservice sso check {view.name}, then sso enable {view.name}",
    ]
    show(_row(view), lines, as_json=as_json)


@sso.command("change", action="sso.change", epilog=examples("sso change work --domain example.org --no-accounts"))
def change(
    which: Which,
    client_id: Annotated[str | None, typer.Option("--client-id", help="Another one asks for its secret.")] = None,
    label: Label = None,
    scopes: Scopes = None,
    domain: Domain = None,
    role_claim: RoleClaim = None,
    admin_group: AdminGroup = None,
    developer_group: DeveloperGroup = None,
    accounts: MakesAccounts = None,
    trust_addresses: TrustsAddresses = None,
    second_factor: SecondFactor = None,
    allow_private: AllowPrivate = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what is named; the rest stays. 'any' lifts a list."""
    edit = _edit(
        client_id=client_id, label=label, scopes=scopes, domains=domain, role_claim=role_claim,
        admin_groups=admin_group, developer_groups=developer_group, makes_accounts=accounts,
        trusts_addresses=trust_addresses, asks_second_factor=second_factor, is_private_allowed=allow_private,
    )  # fmt: skip
    if not edit:
        usage_error("Name what to change.")
    view = run(lambda core: core.sso.change(OPERATOR, which, **edit), as_json=as_json)
    show(_row(view), [f"Changed {view.name}."], as_json=as_json)


@sso.command("list", action="sso.list", epilog=examples("sso list", "sso list --json"))
def list_providers(as_json: JsonFlag = False) -> None:
    """List the providers."""
    rows = [_row(view) for view in run(lambda core: core.sso.list(OPERATOR), as_json=as_json)]
    columns = ("name", "label", "issuer", "client_id", "enabled", "people", "redirect_uri")
    show_table(rows, columns, as_json=as_json, empty="There are no providers yet. Add one: sso add")


@sso.command("set-secret", action="sso.set_secret", epilog=examples("sso set-secret work < client-secret.txt"))
def set_secret(which: Which, as_json: JsonFlag = False) -> None:
    """Set another client secret, from standard input."""
    secret = read_secret("The client secret")
    view = run(lambda core: core.sso.set_secret(OPERATOR, which, secret), as_json=as_json)
    show(_row(view), [f"Set the client secret of {view.name}."], as_json=as_json)


@sso.command("check", action="sso.check", epilog=examples("sso check work"))
def check(which: Which, as_json: JsonFlag = False) -> None:
    """Read the provider's document and keys now."""

    async def work(core: Core) -> Checked:
        return await core.sso.check(OPERATOR, which)

    found = run(work, as_json=as_json)
    answer = {"keys": found.keys, "userinfo": found.has_userinfo, "sign_out": found.has_sign_out}
    lines = [f"It answers, with {found.keys} keys that can be used. Try a sign-in on the portal's page Single sign-on."]
    show(answer, lines, as_json=as_json)


@sso.command("enable", action="sso.switch", epilog=examples("sso enable work"))
def enable(which: Which, as_json: JsonFlag = False) -> None:
    """Put its button on the sign-in page."""
    view = run(lambda core: core.sso.switch(OPERATOR, which, is_enabled=True), as_json=as_json)
    show(_row(view), [f"'{view.label}' is on the sign-in page."], as_json=as_json)


@sso.command("disable", action="sso.switch", epilog=examples("sso disable work"))
def disable(which: Which, as_json: JsonFlag = False) -> None:
    """Take its button off the sign-in page; sessions go on to their end."""
    view = run(lambda core: core.sso.switch(OPERATOR, which, is_enabled=False), as_json=as_json)
    show(_row(view), [f"'{view.label}' is off the sign-in page."], as_json=as_json)


@sso.command("remove", action="sso.change", epilog=examples("sso remove work"))
def remove(which: Which, as_json: JsonFlag = False) -> None:
    """Remove a provider and its secret. Accounts stay."""
    run(lambda core: core.sso.remove(OPERATOR, which), as_json=as_json)
    show({"name": which, "removed": True}, [f"Removed {which}."], as_json=as_json)


@sso.command("require", action="sso.require", epilog=examples("sso require on", "sso require off", "sso require"))
def require(
    said: Annotated[str, typer.Argument(metavar="[on|off]", help="Without, tell how it is.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Let people in by single sign-on alone: no password, passkey, link or sign-up. 'off' is the way back in when the
    provider is away."""
    if said not in ("", "on", "off"):
        usage_error("Say on or off.")

    async def work(core: Core) -> SsoPolicy:
        if said:
            await core.sso.rules.require(OPERATOR, is_required=said == "on")
        return await core.sso.rules.policy(OPERATOR)

    _show_policy(run(work, as_json=as_json), as_json=as_json)


@sso.command(
    "break-glass",
    action="sso.break_glass",
    short_help="Name the one admin whose password works all the same.",
    epilog=examples("sso break-glass --email root@example.org", "sso break-glass --nobody"),
)
def break_glass(
    email: Annotated[str | None, typer.Option("--email", help="An admin's address.")] = None,
    is_nobody: Annotated[bool, typer.Option("--nobody", help="Nobody's does.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Name the one admin whose password opens the portal also where single sign-on is required."""
    if (email is None) != is_nobody:
        usage_error("Name --email or --nobody.")

    async def work(core: Core) -> SsoPolicy:
        await core.sso.rules.set_break_glass(OPERATOR, email)
        return await core.sso.rules.policy(OPERATOR)

    _show_policy(run(work, as_json=as_json), as_json=as_json)


@sso.command("unlink", action="sso.unlink", epilog=examples("sso unlink ada@example.org"))
def unlink(
    who: Annotated[str, typer.Argument(metavar="USER", help="E-mail address or id.")], as_json: JsonFlag = False
) -> None:
    """Forget who a person is to providers: the next sign-in goes by the address again."""
    run(lambda core: core.sso.rules.unlink(OPERATOR, who), as_json=as_json)
    show({"user": who, "unlinked": True}, [f"{who} is known to no provider."], as_json=as_json)


def _show_policy(policy: SsoPolicy, *, as_json: bool) -> None:
    answer = {"required": policy.is_required, "break_glass": policy.break_glass or None}
    lines = [
        "Single sign-on is required." if policy.is_required else "People may come in in other ways, too.",
        f"The password of {policy.break_glass or 'nobody'} works all the same.",
    ]
    show(answer, lines, as_json=as_json)


def _edit(**said: Any) -> Edit:
    edit = {name: value for name, value in said.items() if value is not None}
    return cast(Edit, {name: [] if value == ["any"] else value for name, value in edit.items()})


def _row(view: SsoView) -> dict[str, object]:
    return {
        "id": view.id,
        "name": view.name,
        "label": view.label,
        "issuer": view.issuer,
        "client_id": view.client_id,
        "has_secret": view.has_secret,
        "scopes": view.scopes,
        "domains": view.domains,
        "role_claim": view.role_claim or None,
        "admin_groups": view.admin_groups,
        "developer_groups": view.developer_groups,
        "makes_accounts": view.makes_accounts,
        "trusts_addresses": view.trusts_addresses,
        "asks_second_factor": view.asks_second_factor,
        "allow_private": view.is_private_allowed,
        "enabled": view.is_enabled,
        "people": view.people,
        "redirect_uri": view.redirect_uri,
        "signed_out_uri": view.signed_out_uri,
    }
