"""One's own settings on the page Account: the time zone, and which alerts come by mail."""

from collections.abc import Mapping
from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import zone_field
from aiservice.portal.components.parts import select_field
from aiservice.services.own_settings import OwnSettingsView, alert_kinds


class KindRow(TypedDict):
    """A kind of alert, and whether a mail comes of it."""

    kind: str
    title: str
    is_mailed: bool


def kind_rows(view: OwnSettingsView) -> list[KindRow]:
    silent = set(view.portal_only)
    return [KindRow(kind=kind, title=title, is_mailed=kind not in silent) for kind, title in alert_kinds().items()]


def portal_only_in(form: Mapping[str, str]) -> list[str]:
    """The kinds whose box is not ticked: such a box is not in the form at all. Nothing else in it is looked at."""
    return [kind for kind in alert_kinds() if f"mail-{kind}" not in form]


def settings_form(page: Any) -> rx.Component:
    """`page` is the state: `time_zone`, `digest`, `kinds`, `has_mail`, `turn` and `save_settings`."""
    return rx.el.form(
        zone_field(page.time_zone, hint="Every time in the portal is shown in it. Lists can still be switched to UTC."),
        rx.cond(
            page.has_mail,
            rx.fragment(),
            rx.el.p(
                "No mail server is set up here (AISERVICE_SMTP_URL): alerts are in the portal only.",
                class_name=f"text-sm {theme.MUTED}",
            ),
        ),
        select_field(
            "A mail a day with the alerts of the day",
            "digest",
            [rx.el.option("Never", value="never"), rx.el.option("Daily, in the morning", value="daily")],
            default_value=page.digest,
        ),
        rx.el.fieldset(
            rx.el.legend("By mail at once, where a channel writes to you", class_name=theme.LABEL),
            rx.el.p("What is not ticked is in the portal only.", class_name=theme.HINT),
            rx.el.div(rx.foreach(page.kinds, _kind), class_name="mt-2 grid gap-x-6 gap-y-2 sm:grid-cols-2"),
        ),
        rx.el.div(rx.el.button("Save", type="submit", class_name=theme.PRIMARY), class_name="flex justify-end"),
        key=page.turn,
        on_submit=page.save_settings,
        class_name="flex max-w-2xl flex-col gap-4",
    )


def _kind(row: Any) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="checkbox",
            name=rx.Var.create("mail-") + row["kind"],
            default_checked=row["is_mailed"],
            class_name=f"size-4 shrink-0 accent-indigo-700 {theme.FOCUS}",
        ),
        row["title"],
        class_name="flex items-center gap-2 text-sm",
    )
