"""First call: a key that is there already, code that holds it, and the person's first request as it arrives."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import alert, card, state_badge
from aiservice.portal.components.requests import RequestRow, provider_cell, request_row
from aiservice.portal.components.samples import AGENT_PROMPT, FIRST_BODY, PLACEHOLDER, SAMPLES
from aiservice.portal.components.snippets import first_call_steps
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in
from aiservice.portal.session.live import put, watch
from aiservice.services.core import current_core
from aiservice.services.request_log import LogFilter


class FirstCallState(rx.State):
    """The newest request of the person's own client."""

    newest: list[RequestRow] = []  # one at most
    client: str = ""

    @handler("key.list")
    async def load(self) -> None:
        _show(self, await _gather())
        watch(self, _gather, _show)

    @handler("key.list")
    async def key_shown(self, _is_new: bool) -> None:
        """The browser has asked for the key, which may have made the person's client; the key itself stays there."""
        _show(self, await _gather())


async def _gather() -> tuple[str, list[RequestRow]]:
    core, me = current_core(), signed_in()
    client = await core.clients.personal(me)
    page = await core.requests.page(me, LogFilter(client_id=client.id), 1)
    return client.id, [request_row(entry) for entry in page.entries]


def _show(state: FirstCallState, found: tuple[str, list[RequestRow]]) -> None:
    put(state, client=found[0], newest=found[1])


page: Any = FirstCallState  # in markup its attributes are Vars


@portal_page("/first-call", title="First call", icon="bolt", place=10, on_load=FirstCallState.load)
def first_call() -> rx.Component:
    return rx.el.div(
        first_call_steps(
            SAMPLES,
            prompt=AGENT_PROMPT,
            client=page.client,
            body=FIRST_BODY,
            placeholder=PLACEHOLDER,
            on_key=page.key_shown,
        ),
        card(
            rx.el.h2(
                rx.el.span(
                    "3",
                    class_name=(
                        "inline-flex size-6 shrink-0 items-center justify-center rounded-full bg-indigo-700 text-xs "
                        "font-semibold text-white dark:bg-indigo-600"
                    ),
                    custom_attrs={"aria-hidden": "true"},
                ),
                "See it arrive",
                class_name=f"mb-4 flex items-center gap-2.5 {theme.H2}",
            ),
            rx.cond(page.newest.length() > 0, rx.foreach(page.newest, _arrived), _waiting()),
            class_name="min-h-40",
        ),
        class_name="flex flex-col gap-5",
    )


def _waiting() -> rx.Component:
    return rx.el.div(
        rx.el.span(
            class_name="size-3 animate-pulse motion-reduce:animate-none rounded-full bg-amber-500",
            custom_attrs={"aria-hidden": "true"},
        ),
        rx.el.span("Waiting for your first request…"),
        rx.el.span("It shows here by itself, within two seconds of its end.", class_name="text-xs"),
        class_name=f"flex flex-wrap items-center gap-3 text-sm {theme.MUTED}",
        role="status",
    )


def _arrived(row: Any) -> rx.Component:
    facts = [
        ("Status", state_badge(row["status"], row["status_kind"])),
        ("Task", row["task"]),
        ("Provider", provider_cell(row)),
        ("Model", row["model"]),
        ("Tokens", row["tokens"]),
        ("Cost", row["cost"]),
        ("Took", row["milliseconds"]),
        ("Request", rx.el.code(row["id"], class_name="break-all text-xs")),
    ]
    return rx.el.div(
        rx.cond(
            row["is_sandbox"],
            alert(
                "This answer came from the built-in sandbox, not from a model. An admin connects a real provider "
                "under Providers; nothing in your code changes.",
                kind="warn",
            ),
        ),
        rx.el.dl(
            *[
                rx.el.div(
                    rx.el.dt(name, class_name=f"text-xs {theme.MUTED}"), rx.el.dd(value, class_name="mt-0.5 text-sm")
                )
                for name, value in facts
            ],
            class_name="mt-4 grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-4",
        ),
        rx.el.div(
            rx.el.a("See its trace: where it went and why", href=f"/requests/{row['id']}", class_name=theme.PRIMARY),
            rx.el.a("Try more in the playground", href="/playground", class_name=theme.QUIET),
            class_name="mt-4 flex flex-wrap gap-2",
        ),
        role="status",
    )
