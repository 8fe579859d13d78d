"""Python's side of `log.jsx`: what the request log does in the browser itself."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import STYLES

_LIBRARY = "$/utils/log"
_BAR = "flex h-full min-w-0 flex-1 flex-col justify-end"

LOG_STYLES = {
    **STYLES,
    "bars": f"flex h-20 w-full touch-pan-y cursor-pointer select-none items-end gap-px rounded {theme.FOCUS}",
    "bar": _BAR,
    "barOn": f"{_BAR} {theme.BAR_CHOSEN}",
    "barGood": f"w-full {theme.LOG_BARS['good']}",
    "barBad": f"w-full {theme.LOG_BARS['bad']}",
    "barEnds": f"mt-1 grid grid-cols-[auto_1fr_auto] gap-2 text-xs tabular-nums {theme.MUTED}",
    "barSaid": "min-h-4 text-center",
    "live": "flex flex-wrap items-center gap-2",
    "liveNews": "flex min-h-9 items-center",
    "liveWords": f"text-sm {theme.MUTED}",
    "liveOn": f"mr-1.5 inline-block size-2 rounded-full {theme.LOG_BARS['good']}",
    "liveOff": "mr-1.5 inline-block size-2 rounded-full border border-current",
    "sheet": (
        f"fixed inset-y-0 right-0 left-auto m-0 h-dvh max-h-none w-[min(56rem,100vw)] max-w-none overflow-y-auto "
        # What gets the focus scrolls clear of the head that stays.
        f"scroll-pt-16 overscroll-contain p-4 text-left shadow-xl {theme.SHEET} backdrop:bg-slate-950/40"
    ),
    "sheetBusy": f"h-[calc(100dvh-6rem)] {theme.SKELETON}",
    "sheetHead": f"sticky -top-4 z-10 -mx-4 -mt-4 mb-4 flex items-center justify-between px-4 py-2 {theme.SHEET_HEAD}",
}


class LogBars(rx.Component):
    """Bars over time, each a dict of its `label`, `words`, `requests`, `errors`, and `start` and `end` for the URL."""

    library = _LIBRARY
    tag = "LogBars"

    bars: rx.Var[list[dict[str, Any]]]
    label: rx.Var[str]
    styles: rx.Var[dict[str, str]]


class LiveTail(rx.Component):
    """How many requests are new, and the switch that lets them in where the page `is_newest`."""

    library = _LIBRARY
    tag = "LiveTail"

    count: rx.Var[int]
    is_newest: rx.Var[bool]
    styles: rx.Var[dict[str, str]]
    on_show: rx.EventHandler[rx.event.no_args_event_spec]  # type: ignore[type-arg,valid-type]


class Peek(rx.Component):
    """A sheet with its children: open for the request that the URL names, one of `rows` or not; `shown` is the one that
    the children are about."""

    library = _LIBRARY
    tag = "Peek"

    rows: rx.Var[list[dict[str, Any]]]
    shown: rx.Var[str]
    styles: rx.Var[dict[str, str]]


class CurlButton(rx.Component):
    """Copies a request as a command; with `has_body` the kept body is fetched from `action` for it."""

    library = _LIBRARY
    tag = "CurlButton"

    request: rx.Var[str]
    path: rx.Var[str]
    example: rx.Var[str]
    action: rx.Var[str]
    has_body: rx.Var[bool]


def log_bars(bars: Any, *, label: str) -> rx.Component:
    return LogBars.create(bars=bars, label=label, styles=LOG_STYLES)


def live_tail(count: Any, *, is_newest: Any, on_show: Any) -> rx.Component:
    return LiveTail.create(count=count, is_newest=is_newest, on_show=on_show, styles=LOG_STYLES)


def peek(*content: Any, rows: Any, shown: Any) -> rx.Component:
    return Peek.create(*content, rows=rows, shown=shown, styles=LOG_STYLES)


def curl_button(request_id: Any, *, path: Any, example: Any, has_body: Any) -> rx.Component:
    return CurlButton.create(
        request=request_id,
        path=path,
        example=example,
        action="/auth/secrets/payload",
        has_body=has_body,
        class_name=theme.SECONDARY,
    )
