"""Access tokens: by which programs act for the person in the management API. A page of the account's."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button, open_dialog
from aiservice.portal.components.parts import (
    badge,
    card,
    cell,
    data_table,
    empty,
    field,
    select_field,
    skeleton,
    table_row,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.moments import shown_day, shown_moment
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.personal_tokens import TokenView

PATH = "/account/tokens"
_LIVES = [("30", "In 30 days"), ("90", "In 90 days"), ("180", "In 180 days"), ("365", "In a year")]


class TokenRow(TypedDict):
    """A token of the person's."""

    id: str
    name: str
    shown: str
    may: str
    state: str
    ends: str
    used: str


class AccessTokensState(rx.State):
    """The person's own tokens."""

    rows: list[TokenRow] = []
    changes: int = 0
    is_loaded: bool = False

    @handler("access_token.list")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True

    @handler("access_token.list")
    async def made(self, _token_id: str) -> None:
        """After a new token was copied: closes the dialog."""
        self.changes += 1
        await _show(self)

    @handler("access_token.revoke")
    async def revoke(self, token_id: str) -> None:
        await current_core().personal_tokens.revoke(signed_in(), token_id)
        await tell(self, "Revoked. Whatever uses it is refused from now on.")
        await _show(self)


async def _show(state: AccessTokensState) -> None:
    state.rows = [_row_of(one) for one in await current_core().personal_tokens.list(signed_in())]


def _row_of(one: TokenView) -> TokenRow:
    used = "never"
    if one.last_used_us is not None:
        used = f"{shown_moment(one.last_used_us)}, from {one.last_address}"
    return TokenRow(
        id=one.id,
        name=one.name,
        shown=f"ais_pat_{one.public_id}_…",
        may="read and write" if one.may_write else "read",
        state=one.state,
        ends=shown_day(one.expires_us),
        used=used,
    )


HEADS = ["Name", "Token", "May", "State", "Ends", "Last used", ""]
page: Any = AccessTokensState  # in markup its attributes are Vars


@portal_page(PATH, title="Access tokens", icon="key", below="/account", on_load=AccessTokensState.load)
def access_tokens() -> rx.Component:
    return rx.el.div(
        ReactRouterLink.create("← Account", to="/account", class_name=f"self-start {theme.QUIET}"),
        card(
            rx.el.p(
                "With an access token a program does in the management API what you may do here, never more. It is "
                "not for inference: that takes a client key. ",
                rx.el.a("API reference", href="/docs", class_name=theme.LINK),
                class_name=f"mb-4 max-w-prose text-sm {theme.MUTED}",
            ),
            rx.cond(
                page.is_loaded,
                rx.cond(
                    page.rows.length() > 0,
                    data_table(HEADS, rx.foreach(page.rows, _row), caption="Access tokens"),
                    empty(
                        "No access token yet",
                        "Make one for a script, a deployment or a dashboard. One that only reads is enough for most.",
                        _create(),
                    ),
                ),
                rx.el.div(skeleton("h-24"), custom_attrs={"aria-busy": "true"}),
            ),
            title="Access tokens",
            actions=rx.cond(page.rows.length() > 0, _create()),
        ),
        class_name="flex flex-col gap-5",
    )


def _create() -> rx.Component:
    return open_dialog(
        action_form(
            field("Name", "name", required=True, max_length=100, auto_complete="off", hint="What it is for."),
            select_field(
                "May",
                "may",
                [rx.el.option("Read only", value="read"), rx.el.option("Read and write", value="write")],
            ),
            select_field(
                "Ends",
                "days",
                [rx.el.option(words, value=days) for days, words in _LIVES],
                default_value="90",
            ),
            action="/auth/secrets/access-tokens",
            submit="Make the token",
            busy="Making…",
            after="reveal",
            on_done=page.made,
        ),
        label="Make a token",
        title="Make an access token",
        close_signal=page.changes,
    )


def _row(row: Any) -> rx.Component:
    state = rx.match(
        row["state"],
        ("active", badge("active", "good")),
        ("expired", badge("expired", "warn")),
        badge("revoked", "warn"),
    )
    return table_row(
        HEADS,
        cell(row["name"], class_name="font-medium break-words"),
        cell(row["shown"], class_name="font-mono text-xs break-all"),
        cell(row["may"]),
        cell(state),
        cell(row["ends"], class_name="whitespace-nowrap"),
        cell(row["used"]),
        cell(
            rx.cond(
                row["state"] == "active",
                confirm_button(
                    "Revoke",
                    title="Revoke this token?",
                    text=f"{row['name']}: whatever uses it is refused from now on. This cannot be taken back.",
                    confirm="Revoke it",
                    on_confirm=page.revoke(row["id"]),
                ),
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=row["id"],
    )
