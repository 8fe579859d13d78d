"""A provider of single sign-on as a card, the form that sets it up, and what its last test came to."""

from typing import Any, TypedDict

import orjson
import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button, copy_button, open_dialog
from aiservice.portal.components.parts import alert, card, checkbox, field, state_badge
from aiservice.services.sso_terms import SsoView


class Claim(TypedDict):
    """Something that a provider said of whoever tried."""

    name: str
    value: str


class ProviderRow(TypedDict):
    """A provider as the page shows it; lists are texts. `tried_kind` is "" where nobody tried, else "done" or
    "error"."""

    id: str
    name: str
    label: str
    issuer: str
    client_id: str
    secret: str
    scopes: str
    domains: str
    role_claim: str
    admin_groups: str
    developer_groups: str
    makes_accounts: bool
    trusts_addresses: bool
    asks_second_factor: bool
    is_private_allowed: bool
    is_enabled: bool
    state: str
    state_kind: str
    people: str
    redirect_uri: str
    signed_out_uri: str
    tried_kind: str
    tried_words: str
    tried_by: str
    claims: list[Claim]


def row_of(one: SsoView) -> ProviderRow:
    tried = orjson.loads(one.tried) if one.tried else {}
    return ProviderRow(
        id=one.id,
        name=one.name,
        label=one.label,
        issuer=one.issuer,
        client_id=one.client_id,
        secret="kept, never shown" if one.has_secret else "none: a public client",
        scopes=one.scopes,
        domains=", ".join(one.domains),
        role_claim=one.role_claim,
        admin_groups=", ".join(one.admin_groups),
        developer_groups=", ".join(one.developer_groups),
        makes_accounts=one.makes_accounts,
        trusts_addresses=one.trusts_addresses,
        asks_second_factor=one.asks_second_factor,
        is_private_allowed=one.is_private_allowed,
        is_enabled=one.is_enabled,
        state="on the sign-in page" if one.is_enabled else "off",
        state_kind="good" if one.is_enabled else "plain",
        people=f"{one.people} {'person' if one.people == 1 else 'people'}",
        redirect_uri=one.redirect_uri,
        signed_out_uri=one.signed_out_uri,
        tried_kind="" if not tried else "done" if tried["ok"] else "error",
        tried_words=tried.get("words", ""),
        tried_by=tried.get("by", ""),
        claims=[Claim(name=name, value=value) for name, value in tried.get("claims", {}).items()],
    )


def provider_card(row: Any, page: Any) -> rx.Component:
    """`page` is the state: `check`, `switch`, `remove`, `changed` and `changes`."""
    return card(
        rx.el.div(
            rx.el.div(
                rx.el.h2(row["label"], class_name=f"{theme.H2} break-words"),
                rx.el.p(row["issuer"], class_name=f"font-mono text-xs wrap-anywhere {theme.MUTED}"),
            ),
            state_badge(row["state"], row["state_kind"]),
            class_name="flex flex-wrap items-start justify-between gap-2",
        ),
        _told(row),
        _tried(row),
        _actions(row, page),
        class_name="flex flex-col gap-4",
    )


def _told(row: Any) -> rx.Component:
    return rx.el.dl(
        _address("Redirect URI, to enter there", row["redirect_uri"]),
        _address("Sign-out redirect URI, to enter there", row["signed_out_uri"]),
        _fact("Client id", row["client_id"]),
        _fact("Client secret", row["secret"]),
        _fact("Known by it", row["people"]),
        _fact("Somebody new", rx.cond(row["makes_accounts"], "gets an account", "stays out until an admin makes one")),
        rx.cond(row["domains"] != "", _fact("Only addresses at", row["domains"])),
        rx.cond(row["role_claim"] != "", _fact("Groups are read from", row["role_claim"])),
        rx.cond(row["admin_groups"] != "", _fact("Admins", row["admin_groups"])),
        rx.cond(row["developer_groups"] != "", _fact("Developers", row["developer_groups"])),
        class_name="grid gap-3 text-sm sm:grid-cols-2",
    )


def _fact(name: str, value: Any) -> rx.Component:
    return rx.el.div(rx.el.dt(name, class_name=theme.MUTED), rx.el.dd(value, class_name="break-words"))


def _address(name: str, value: Any) -> rx.Component:
    return rx.el.div(
        rx.el.dt(name, class_name=theme.MUTED),
        rx.el.dd(
            rx.el.code(value, class_name="font-mono text-xs wrap-anywhere"),
            copy_button(value),
            class_name="mt-1 flex flex-wrap items-center gap-2",
        ),
        class_name="sm:col-span-2",
    )


def _tried(row: Any) -> rx.Component:
    claims = rx.el.dl(
        rx.foreach(
            row["claims"],
            lambda claim: rx.el.div(
                rx.el.dt(claim["name"], class_name="font-mono font-medium"),
                rx.el.dd(claim["value"], class_name="font-mono wrap-anywhere"),
                class_name="grid gap-x-3 sm:grid-cols-[10rem_1fr]",
            ),
        ),
        class_name="mt-3 flex flex-col gap-1 text-xs",
    )
    words = [rx.el.strong("The last test: "), row["tried_words"], " Tried by ", row["tried_by"], "."]
    shown = rx.cond(row["claims"].length() > 0, claims)
    return rx.match(
        row["tried_kind"],
        ("done", alert(rx.el.p(*words), shown, kind="done")),
        ("error", alert(rx.el.p(*words), shown, kind="error")),
        rx.fragment(),
    )


def _actions(row: Any, page: Any) -> rx.Component:
    return rx.el.div(
        ReactRouterLink.create(
            "Test this sign-in", to=f"/auth/sso/{row['name']}/test", reload_document=True, class_name=theme.PRIMARY
        ),
        rx.el.button("Check the provider", type="button", on_click=page.check(row["name"]), class_name=theme.SECONDARY),
        rx.cond(
            row["is_enabled"],
            confirm_button(
                "Switch off",
                title="Switch it off?",
                text="Its button leaves the sign-in page. Sessions go on to their end.",
                confirm="Switch it off",
                on_confirm=page.switch(row["name"], False),
                class_name=theme.SECONDARY,
            ),
            rx.el.button(
                "Switch on", type="button", on_click=page.switch(row["name"], True), class_name=theme.SECONDARY
            ),
        ),
        open_dialog(
            action_form(
                *_terms(row),
                action="/auth/secrets/sso/change",
                fixed={"id": row["id"]},
                submit="Save",
                on_done=page.changed,
            ),
            label="Change",
            title=rx.Var.create("Change ") + row["name"],
            close_signal=page.changes,
            class_name=theme.SECONDARY,
        ),
        confirm_button(
            "Remove",
            title=rx.Var.create("Remove ") + row["name"] + "?",
            text="Its secret is destroyed. Accounts stay; who has no password asks an admin for a reset link.",
            confirm="Remove it",
            on_confirm=page.remove(row["name"]),
        ),
        class_name="flex flex-wrap gap-2",
    )


def add_dialog(page: Any, class_name: str = theme.PRIMARY) -> rx.Component:
    """One more provider; `page.redirect_uri` is what it would come back to under the name that is typed."""
    return open_dialog(
        action_form(
            field("Name", "name", default_value="work", required=True, max_length=32, auto_complete="off",
                  hint="Lower case, digits, hyphens. It stands in the redirect URI.", on_change=page.named),
            rx.el.div(
                rx.el.p("Redirect URI, to enter there first", class_name=theme.LABEL),
                rx.el.code(page.redirect_uri, class_name="block font-mono text-xs wrap-anywhere"),
                copy_button(page.redirect_uri, class_name=f"{theme.SECONDARY} mt-2"),
            ),
            field("Issuer", "issuer", required=True, auto_complete="off", spell_check=False,
                  placeholder="https://id.example.org/realms/main",
                  hint="As its discovery document writes it, letter by letter."),
            *_terms(None),
            action="/auth/secrets/sso",
            submit="Add, switched off",
            on_done=page.changed,
        ),
        label="Add a provider",
        title="Add a provider",
        close_signal=page.changes,
        class_name=class_name,
    )  # fmt: skip


def _terms(row: Any) -> list[rx.Component]:
    """The fields of a provider's terms; None: of a new one. Every row has the same form, so fields are named by it."""
    of = "" if row is None else row["id"]

    def was(name: str, usual: str = "") -> Any:
        return usual if row is None else row[name]

    def ticked(name: str, *, usual: bool = False) -> Any:
        return usual if row is None else row[name]

    plain: dict[str, Any] = {"auto_complete": "off", "spell_check": False, "row": of}
    secret_hint = "From the provider." if row is None else "Empty: the one that is kept."
    return [
        field("Client id", "client_id", default_value=was("client_id"), required=True, **plain),
        field("Client secret", "client_secret", type="password", hint=secret_hint, **plain),
        field("Words of the button", "label", default_value=was("label"), max_length=60,
              placeholder="Sign in with Example", **plain),
        checkbox("Somebody new gets an account", "makes_accounts",
                 default_checked=ticked("makes_accounts", usual=True)),
        field("Only addresses at (optional)", "domains", default_value=was("domains"), placeholder="example.org",
              hint="Domains, separated by commas.", **plain),
        rx.el.details(
            rx.el.summary("Roles, scopes and trust", class_name="cursor-pointer text-sm font-medium"),
            rx.el.div(
                field("Claim with the groups", "role_claim", default_value=was("role_claim"), placeholder="groups",
                      hint="Empty: roles are given by hand. Dots lead in: realm_access.roles.", **plain),
                field("Groups of admins", "admin_groups", default_value=was("admin_groups"),
                      hint="Separated by commas.", **plain),
                field("Groups of developers", "developer_groups", default_value=was("developer_groups"),
                      hint="Empty: everybody else, too.", **plain),
                field("Scopes", "scopes", default_value=was("scopes", "openid email profile"), **plain),
                checkbox("Ask for our second factor, too", "asks_second_factor",
                         default_checked=ticked("asks_second_factor")),
                checkbox("Take every address for verified", "trusts_addresses",
                         hint="Only where the provider gives the addresses out itself, as your own Entra ID does.",
                         default_checked=ticked("trusts_addresses")),
                checkbox("Its addresses may be private", "is_private_allowed",
                         hint="For a provider in your own network; plain http is allowed then.",
                         default_checked=ticked("is_private_allowed")),
                class_name="mt-3 flex flex-col gap-4",
            ),
        ),
    ]  # fmt: skip
