"""What the request log is narrowed by. `page` is the log's state; in markup its attributes are Vars."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.filters import choices, chooser, filter_choosers, span_form
from aiservice.portal.components.request_log import CACHE_WORDS, ENDING_WORDS, RANGE_WORDS, STATUSES


def request_filters(page: Any) -> rx.Component:
    """Everything of it, in two rows: what acts at once, and what is typed."""
    return rx.el.div(
        rx.el.div(
            *filter_choosers(page.options, page.url, page.choose),
            _choice(page, "Ended", "ended", ENDING_WORDS),
            _choice(page, "Status", "status", [(status, status) for status in STATUSES]),
            _choice(page, "Cache", "cache", CACHE_WORDS),
            _choice(page, "Fallback", "tries", [("several", "Tried more than once")]),
            class_name="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-5 xl:grid-cols-9",
        ),
        rx.el.div(
            choices(
                "Begun in the last",
                [(words, value, (page.url.get("range", "") == value) & ~page.has_span) for value, words in RANGE_WORDS],
                lambda value: page.choose("range", value),
            ),
            span_form(page.url.get("from", ""), page.url.get("to", ""), page.zone, page.choose_span, key=page.newest),
            _id_form(page),
            class_name="mt-4 flex flex-wrap items-end justify-between gap-4",
        ),
    )


def _choice(page: Any, label: str, name: str, options: list[tuple[str, str]]) -> rx.Component:
    listed = [rx.el.option(words, value=value) for value, words in options]
    return chooser(label, name, listed, page.url.get(name, ""), page.choose)


def _id_form(page: Any) -> rx.Component:
    return rx.el.form(
        rx.el.div(
            rx.el.label(
                "Id of request, trace or provider", html_for="text_id", class_name=f"text-xs font-medium {theme.MUTED}"
            ),
            rx.el.input(
                id="text_id",
                name="text_id",
                type="search",
                placeholder="req_…",
                auto_complete="off",
                default_value=page.url.get("id", ""),
                class_name=f"mt-0.5 {theme.INPUT}",
            ),
        ),
        rx.el.button("Find", type="submit", class_name=theme.SECONDARY),
        on_submit=page.find,
        key=page.url.get("id", ""),  # and of nothing else: what is being typed stays, whatever comes meanwhile
        class_name="flex items-end gap-2",
    )
