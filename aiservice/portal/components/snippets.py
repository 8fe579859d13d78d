"""Python's side of `snippets.jsx`: code to copy with address and key in it, and the first call."""

from typing import Any

import reflex as rx
from reflex.utils.exec import is_prod_mode
from reflex_base.config import get_config

from aiservice.portal import theme
from aiservice.portal.components.browser import STYLES

LIBRARY = "$/utils/snippets"

STYLES_OF_CODE = STYLES | {
    "tabs": "flex gap-1 overflow-x-auto p-0.5",
    "note": f"mt-1 text-xs {theme.MUTED}",
    "step": theme.CARD,
    "title": f"{theme.H2} flex items-center gap-2.5",
    "number": (
        "inline-flex size-6 shrink-0 items-center justify-center rounded-full bg-indigo-700 text-xs font-semibold "
        "text-white dark:bg-indigo-600"
    ),
    "text": f"mt-2 max-w-prose text-sm {theme.MUTED}",
    "keyRow": f"mt-3 flex flex-wrap items-center gap-3 {theme.ALERT['warn']}",
    "keyKnown": f"mt-3 flex flex-wrap items-center gap-3 {theme.MUTED}",
    "keyWait": f"mt-3 h-16 {theme.SKELETON}",
    "answer": f"mt-3 {theme.ALERT['done']}",
    "promptRow": f"mt-4 flex flex-wrap items-center gap-3 pt-4 {theme.LINE}",
}


class FirstCall(rx.Component):
    """A key, the code that holds it, and a button that sends what the code does."""

    library = LIBRARY
    tag = "FirstCall"

    samples: rx.Var[list[dict[str, str]]]
    prompt: rx.Var[str]
    ask: rx.Var[str]
    client: rx.Var[str]
    body: rx.Var[str]
    placeholder: rx.Var[str]
    dev_port: rx.Var[int]
    styles: rx.Var[dict[str, str]]
    on_key: rx.EventHandler[rx.event.passthrough_event_spec(bool)]  # type: ignore[type-arg,valid-type]


def dev_port() -> int:
    """The API's port in development, where another one serves the pages; 0 in production."""
    return 0 if is_prod_mode() else get_config().backend_port or 8000


def first_call_steps(samples: Any, *, prompt: str, client: Any, body: str, placeholder: str, on_key: Any) -> Any:
    """Texts have `{{base}}` and `{{key}}` in them. `body` is what "Run it here" sends to `/ai-service`; `client` is the
    id of the person's own."""
    return FirstCall.create(
        samples=samples,
        prompt=prompt,
        ask="/auth/secrets/first-key",
        client=client,
        body=body,
        placeholder=placeholder,
        dev_port=dev_port(),
        styles=STYLES_OF_CODE,
        on_key=on_key,
    )
