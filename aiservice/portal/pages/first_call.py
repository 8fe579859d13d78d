"""First call: a key, examples that already hold it, and the person's first request as it arrives."""

from typing import Any

import reflex as rx
from reflex.utils.exec import is_prod_mode
from reflex_base.config import get_config

from aiservice.portal import theme
from aiservice.portal.components.browser import snippets
from aiservice.portal.components.parts import alert, card, state_badge
from aiservice.portal.components.requests import RequestRow, provider_cell, request_row
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in
from aiservice.portal.session.live import watch
from aiservice.services.core import current_core
from aiservice.services.request_log import LogFilter

_CURL = """curl {{base}}/ai-service \\
  -H "Authorization: Bearer {{key}}" \\
  -H "Content-Type: application/json" \\
  -d '{"task": "text-generation", "input": "Write a haiku about keys"}'"""

_PYTHON = """# pip install openai
from openai import OpenAI

client = OpenAI(base_url="{{base}}/v1", api_key="{{key}}")
answer = client.chat.completions.create(
    model="auto",
    messages=[{"role": "user", "content": "Write a haiku about keys"}],
)
print(answer.choices[0].message.content)"""

_JAVASCRIPT = """// Node 18 or newer, nothing to install: save as first.mjs, run with node
const answer = await fetch("{{base}}/v1/chat/completions", {
  method: "POST",
  headers: { "Authorization": "Bearer {{key}}", "Content-Type": "application/json" },
  body: JSON.stringify({
    model: "auto",
    messages: [{ role: "user", content: "Write a haiku about keys" }],
  }),
});
console.log((await answer.json()).choices[0].message.content);"""

SAMPLES = [
    {"name": "curl", "code": _CURL},
    {"name": "Python", "code": _PYTHON},
    {"name": "JavaScript", "code": _JAVASCRIPT},
]
PLACEHOLDER = "YOUR_KEY"


class FirstCallState(rx.State):
    """The newest request of the person's own client."""

    newest: list[RequestRow] = []  # one at most
    has_new_key: bool = False
    is_asked: bool = False

    @handler()
    async def load(self) -> None:
        await _show(self)
        watch(self, _show)

    @handler()
    async def key_shown(self, is_new: bool) -> None:
        """The browser says whether it was given a new key; the key itself stays there."""
        self.has_new_key, self.is_asked = is_new, True


async def _show(state: FirstCallState) -> None:
    core, me = current_core(), signed_in()
    client = await core.clients.personal(me)
    page = await core.requests.page(me, LogFilter(client_id=client.id), 1)
    state.newest = [request_row(entry) for entry in page.entries]


page: Any = FirstCallState  # in markup its attributes are Vars


@portal_page("/first-call", title="First call", icon="bolt", place=10, on_load=FirstCallState.load)
def first_call() -> rx.Component:
    return rx.el.div(
        card(
            rx.el.p(
                "Your own client has a key. Copy one of these into a terminal: it works as it is, also before any "
                "provider is connected, since the built-in sandbox answers then.",
                class_name=f"mb-4 max-w-prose text-sm {theme.MUTED}",
            ),
            snippets(
                SAMPLES,
                ask="/auth/secrets/first-key",
                placeholder=PLACEHOLDER,
                dev_port=0 if is_prod_mode() else get_config().backend_port or 8000,
                on_key=page.key_shown,
            ),
            rx.cond(
                page.is_asked & ~page.has_new_key,
                rx.el.p(
                    "Your key was shown when it was made and cannot be shown again. Put it in place of ",
                    rx.el.code(PLACEHOLDER),
                    ", or make another on ",
                    rx.el.a("Keys", href="/keys", class_name=theme.LINK),
                    ".",
                    class_name=f"mt-3 text-sm {theme.MUTED}",
                ),
            ),
            title="Send a request",
        ),
        card(
            rx.cond(page.newest.length() > 0, rx.foreach(page.newest, _arrived), _waiting()),
            title="Your newest request",
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
        class_name=f"flex items-center gap-3 text-sm {theme.MUTED}",
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
        role="status",
    )
