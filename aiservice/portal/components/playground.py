"""Python's side of `playground.jsx`."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.snippets import STYLES_OF_CODE, dev_port

_STYLES = STYLES_OF_CODE | {
    "card": theme.CARD,
    "heading": theme.H2,
    "area": f"mt-1 {theme.INPUT} font-mono",
    "summary": f"w-fit cursor-pointer text-sm {theme.LINK}",
    "quiet": theme.QUIET,
    "link": theme.LINK,
    "kbd": "rounded bg-white/20 px-1 text-xs",
    "output": (
        "max-h-[32rem] min-h-24 overflow-auto rounded-lg bg-slate-100 p-3 text-sm whitespace-pre-wrap wrap-anywhere "
        f"dark:bg-slate-950 {theme.FOCUS}"
    ),
    "thinking": f"mt-1 text-sm whitespace-pre-wrap wrap-anywhere {theme.MUTED}",
    "wait": "inline-block h-4 w-2 animate-pulse bg-slate-400 motion-reduce:animate-none",
}


class Playground(rx.Component):
    """The form and the answers; its children are what stands under each answer."""

    library = "$/utils/playground"
    tag = "Playground"

    clients: rx.Var[list[dict[str, str]]]
    chosen_client: rx.Var[str]
    dev_port: rx.Var[int]
    styles: rx.Var[dict[str, str]]
    on_ran: rx.EventHandler[rx.event.passthrough_event_spec(int, str)]  # type: ignore[type-arg,valid-type]


def playground(first: rx.Component, beside: rx.Component, *, clients: Any, chosen: Any, on_ran: Any) -> rx.Component:
    """`clients` are those that may be called as, `chosen` the id of the one at first. `on_ran` is told the side (0 or
    1) and the id of a request that has ended, "" when one begins."""
    return Playground.create(
        first, beside, clients=clients, chosen_client=chosen, dev_port=dev_port(), styles=_STYLES, on_ran=on_ran
    )
