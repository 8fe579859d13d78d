"""What the request log shows where it has no rows or cannot be read, and the way to its
other pages. `page` is its state."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.parts import alert, empty
from aiservice.portal.components.request_log import PATH


def clear_link(page: Any) -> rx.Component:
    return rx.cond(
        page.is_narrowed, ReactRouterLink.create("Clear all", to=PATH, class_name=theme.QUIET), rx.fragment()
    )


def nothing_logged(page: Any) -> rx.Component:
    return rx.cond(
        page.is_narrowed,
        empty(
            "No request is like that",
            "Nothing in the log fits what it was narrowed to.",
            ReactRouterLink.create("Show all requests", to=PATH, class_name=theme.PRIMARY),
        ),
        empty(
            "No request yet",
            "Every request that is sent with a key of yours is listed here, with what it cost and how it went.",
            rx.el.a("Make your first call", href="/first-call", class_name=theme.PRIMARY),
        ),
    )


def log_problem(page: Any) -> rx.Component:
    return alert(
        rx.el.p("The log could not be read like that. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        rx.el.div(
            rx.el.button("Try again", type="button", on_click=page.try_again, class_name=theme.SECONDARY),
            ReactRouterLink.create("Show all requests", to=PATH, class_name=theme.SECONDARY),
            class_name="mt-3 flex flex-wrap gap-2",
        ),
        kind="error",
        role="alert",
    )


def log_pager(page: Any) -> rx.Component:
    return rx.el.nav(
        rx.cond(page.newer != "", ReactRouterLink.create("Newest", to=page.newest, class_name=theme.SECONDARY)),
        rx.cond(page.newer != "", ReactRouterLink.create("Newer", to=page.newer, class_name=theme.SECONDARY)),
        rx.cond(page.older != "", ReactRouterLink.create("Older", to=page.older, class_name=theme.SECONDARY)),
        class_name="mt-4 flex items-center justify-end gap-2 empty:hidden",
        custom_attrs={"aria-label": "Pages of the log"},
    )
