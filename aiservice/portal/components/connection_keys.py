"""The keys of one provider connection: how each does, what is left of what it is given, and what can be done."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button, open_dialog
from aiservice.portal.components.health import bars_of, row_of
from aiservice.portal.components.parts import cell, data_table, field, state_badge, table_row
from aiservice.portal.moments import shown_moment
from aiservice.services.connection_views import ConnectionDetails, KeyDetails

HEADS = ["Key", "State", "Answered", "First byte", "Gives a minute", ""]
_NO_BARS = ["none"] * 90
_UNITS = {"requests": "requests", "tokens": "tokens", "input_tokens": "input tokens", "output_tokens": "output tokens"}
_SOURCES = {"configured": "as configured", "told": "as told", "learned": "as learned"}


class KeyRow(TypedDict):
    """One key. The first is the connection's own; `rpm` and `tpm` are what an admin said, as a form shows it."""

    id: str
    name: str
    hint: str
    share: str
    weight: str
    rpm: str
    tpm: str
    label: str
    is_first: bool
    is_disabled: bool
    state: str
    state_kind: str
    why: str
    answered: str
    bars: list[str]
    usual: str
    slow: str
    gives: str
    tested: str


def rows_of(view: ConnectionDetails, health: dict[str, Any], quotas: list[dict[str, Any]]) -> list[KeyRow]:
    """The connection's keys, its own first, with what `services.health_views.seen` and `services.quotas.seen` say."""
    each: list[ConnectionDetails | KeyDetails] = [view, *view.keys] if view.key_fingerprint else [*view.keys]
    total = sum(one.weight for one in each if not one.is_disabled) or 1
    return [_row(one, health.get(one.id), quotas, total) for one in each]


def _row(
    one: ConnectionDetails | KeyDetails, seen: dict[str, Any] | None, quotas: list[dict[str, Any]], total: int
) -> KeyRow:
    is_first = isinstance(one, ConnectionDetails)
    known = None if seen is None else row_of(seen, "", "")
    state, kind, why = _state(one, known)
    label = "" if isinstance(one, ConnectionDetails) else one.label
    return KeyRow(
        id=one.id,
        name="Key 1" if isinstance(one, ConnectionDetails) else f"Key {one.number}",
        hint=f"…{one.key_hint}" if one.key_hint else "sealed",
        share="takes no turns" if one.is_disabled else f"weight {one.weight}: {one.weight / total:.0%} of the calls",
        weight=str(one.weight),
        rpm=str(one.rpm or ""),
        tpm=str(one.tpm or ""),
        label=label,
        is_first=is_first,
        is_disabled=one.is_disabled,
        state=state,
        state_kind=kind,
        why=why,
        answered="not asked lately" if known is None else known["answered"],
        bars=_NO_BARS if known is None else known["bars"],
        usual="" if known is None else known["usual"],
        slow="" if known is None else known["slow"],
        gives="\n".join(_gives(one.id, quotas)) or "not known yet",
        tested=f"{shown_moment(one.tested_us)}: {one.test_result}" if one.tested_us else "not tested yet",
    )


def _state(one: ConnectionDetails | KeyDetails, known: Any) -> tuple[str, str, str]:
    if one.is_disabled:
        return "out", "warn", "disabled by an admin"
    if known is not None and known["state_kind"] != "good":
        return known["state"], known["state_kind"], known["why"]
    if one.has_failed_test:
        return "test failed", "bad", ""
    return "in use", "good", ""


def _gives(key_id: str, quotas: list[dict[str, Any]]) -> list[str]:
    """Each limit with what is left of it: `gpt-5: 120 of 500 requests left (as told)`."""
    lanes = [lane for lane in quotas if lane["connection_id"] == key_id]
    return [
        f"{lane['model'] or 'all models'}: {max(0, limit['limit'] - limit['used'] - limit['used_by_others']):,} of "
        f"{limit['limit']:,} {_UNITS[limit['measure']]} left ({_SOURCES[limit['source']]})"
        for lane in lanes
        for limit in lane["limits"]
    ]


def key_table(page: Any) -> rx.Component:
    """`page` is the state: its `keys`, `testing`, `changes` and the handlers of a key."""
    return data_table(HEADS, rx.foreach(page.keys, lambda row: _line(page, row)), caption="Keys of this connection")


def _line(page: Any, row: Any) -> rx.Component:
    muted = f"block text-xs {theme.MUTED}"
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["name"], class_name="block font-medium"),
            rx.el.span(row["label"], class_name="block text-xs empty:hidden"),
            rx.el.span(row["hint"], class_name=f"block font-mono text-xs {theme.MUTED}"),
            rx.el.span(row["share"], class_name=muted),
        ),
        cell(
            state_badge(row["state"], row["state_kind"]),
            rx.el.span(row["why"], class_name=f"mt-1 {muted} wrap-anywhere empty:hidden"),
            rx.el.span("Last test ", row["tested"], class_name=f"mt-1 {muted} wrap-anywhere"),
        ),
        cell(rx.el.span(row["answered"], class_name="block text-xs tabular-nums"), bars_of(row)),
        cell(
            rx.el.span(row["usual"], class_name="block text-xs tabular-nums whitespace-nowrap"),
            rx.el.span(row["slow"], class_name=f"{muted} tabular-nums whitespace-nowrap"),
        ),
        cell(rx.el.span(row["gives"], class_name="block text-xs whitespace-pre-line tabular-nums")),
        cell(rx.el.div(*_actions(page, row), class_name="flex flex-wrap max-sm:-mx-3.5 sm:justify-end")),
        key=row["id"],
    )


def _actions(page: Any, row: Any) -> list[rx.Component]:
    def button(words: Any, on_click: Any, **more: Any) -> rx.Component:
        named = {"aria-label": f"{words} {row['name']}"} if isinstance(words, str) else {}
        return rx.el.button(words, type="button", on_click=on_click, class_name=theme.QUIET, custom_attrs=named, **more)

    return [
        rx.el.button(
            rx.cond(page.testing == row["id"], "Testing…", "Test now"),
            type="button",
            on_click=page.test_key(row["id"]),
            disabled=page.testing != "",
            class_name=theme.QUIET,
            custom_attrs={"aria-label": f"Test now: {row['name']}"},
        ),
        _replace(page, row),
        rx.cond(
            ~row["is_first"],
            rx.fragment(
                _edit(page, row),
                rx.cond(
                    row["is_disabled"],
                    button("Use again", page.enable_key(row["id"])),
                    button("Take out", page.disable_key(row["id"])),
                ),
                confirm_button(
                    "Remove",
                    title=f"Remove {row['name']}?",
                    text="Its sealed copy is destroyed. The other keys take its calls.",
                    confirm="Remove",
                    on_confirm=page.remove_key(row["id"]),
                ),
            ),
        ),
    ]


def _replace(page: Any, row: Any) -> rx.Component:
    return open_dialog(
        action_form(
            field("New key", "secret", row=row["id"], type="password", required=True, auto_complete="off"),
            action=rx.cond(row["is_first"], "/auth/secrets/connections/key", "/auth/secrets/connections/keys/secret"),
            fixed={"id": row["id"]},
            submit="Test and seal this key",
            busy="Testing…",
            on_done=page.key_changed,
        ),
        label="Replace",
        title=f"Another secret for {row['name']}",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def _edit(page: Any, row: Any) -> rx.Component:
    return open_dialog(
        rx.el.form(
            rx.el.input(type="hidden", name="id", value=row["id"], read_only=True),
            field("Label", "label", row=row["id"], default_value=row["label"], max_length=64, auto_complete="off"),
            *share_fields(row),
            rx.el.button("Save", type="submit", class_name=f"{theme.PRIMARY} self-end"),
            on_submit=page.save_key,
            class_name="mt-4 flex flex-col gap-4",
        ),
        label="Edit",
        title=f"Share and limits of {row['name']}",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def share_fields(row: Any) -> list[rx.Component]:
    """Weight, requests and tokens a minute, as a connection's form and a key's have them."""
    numeric = {"input_mode": "numeric", "auto_complete": "off"}
    return [
        field("Weight, 1 to 1000", "weight", row=row["id"], default_value=row["weight"], required=True, **numeric),
        field("Requests a minute", "rpm", row=row["id"], default_value=row["rpm"], **numeric),
        field(
            "Tokens a minute",
            "tpm",
            row=row["id"],
            default_value=row["tpm"],
            hint="What the provider gives. Empty: it is found out in use.",
            **numeric,
        ),
    ]


def add_key(page: Any) -> rx.Component:
    """One more key for the connection that `page` shows."""
    numeric = {"input_mode": "numeric", "auto_complete": "off"}
    return open_dialog(
        action_form(
            field("Key", "secret", type="password", required=True, auto_complete="off", hint=page.key_hint),
            field("Label (optional)", "label", max_length=64, auto_complete="off", hint="Shown to admins alone."),
            field("Weight, 1 to 1000", "weight", default_value="1", hint="Its share of the calls.", **numeric),
            field("Requests a minute (optional)", "rpm", **numeric),
            field("Tokens a minute (optional)", "tpm", **numeric),
            action="/auth/secrets/connections/keys",
            fixed={"id": page.connection_id},
            submit="Test and add",
            busy="Testing…",
            on_done=page.key_changed,
        ),
        label="Add key",
        title="One more key",
        close_signal=page.changes,
    )
