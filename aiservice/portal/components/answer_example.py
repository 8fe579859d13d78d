"""What the API answers when something is used up, as it will stand in a program's log: to be copied into a test."""

from typing import Any

import orjson
import reflex as rx

from aiservice.errors import BrokerError
from aiservice.portal import theme
from aiservice.portal.components.browser import copy_button

_REQUEST_ID = "req_00000000000000000000000000000000"


def answer_text(error: BrokerError) -> str:
    """The answer to a request on the broker's own and on OpenAI's surfaces: status, headers and body."""
    head = [f"HTTP/1.1 {error.status}", "content-type: application/json", f"x-request-id: {_REQUEST_ID}"]
    if error.retry_after is not None:
        head.append(f"retry-after: {max(1, round(error.retry_after))}")
    body = orjson.dumps(error.body(_REQUEST_ID), option=orjson.OPT_INDENT_2).decode()
    return "\n".join([*head, "", body])


def answer_example(text: Any, what: str) -> rx.Component:
    """Folded away until somebody wants it; `what` says when it is given."""
    return rx.el.details(
        rx.el.summary("What the API answers then", class_name=theme.FOLDED),
        rx.el.div(
            rx.el.p(what, class_name=f"max-w-prose text-sm {theme.MUTED}"),
            copy_button(text, "Copy"),
            class_name="mt-2 flex flex-wrap items-center justify-between gap-2",
        ),
        rx.el.pre(
            rx.el.code(text),
            tab_index=0,
            role="region",
            class_name=f"mt-2 {theme.CODE} {theme.FOCUS}",
            custom_attrs={"aria-label": "What the API answers"},
        ),
    )
