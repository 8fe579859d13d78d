"""One request in all its parts, for its own page and for the sheet beside the log. `page` is the state that has it."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.browser import copy_button, kept_payload
from aiservice.portal.components.decision import decision_table
from aiservice.portal.components.log_parts import curl_button
from aiservice.portal.components.parts import badge, card, empty, skeleton, state_badge
from aiservice.portal.components.waterfall import waterfall

_BELOW = "/requests"


def request_detail(page: Any, *, head: Any = None, facts_head: Any = None, has_playground: bool) -> rx.Component:
    """What is known of the request, that there is none, or room for it. `head` and `facts_head` stand in the heads of
    its first and its last card."""
    return rx.cond(
        page.is_loaded,
        rx.cond(
            page.is_found,
            _found(page, head, facts_head, has_playground=has_playground),
            rx.cond(page.original_id != "", _replayed(page, head), _missing(page)),
        ),
        rx.el.div(
            *(skeleton(height) for height in ("h-40", "h-64", "h-48", "h-72")),
            class_name="flex flex-col gap-5",
            custom_attrs={"aria-busy": "true"},
        ),
    )


def _found(page: Any, head: Any, facts_head: Any, *, has_playground: bool) -> rx.Component:
    return rx.el.div(
        _how_it_went(page, head, has_playground=has_playground),
        card(
            waterfall(page.steps),
            title="Attempts",
            actions=rx.el.span("all of it took ", page.took, class_name=f"text-sm {theme.MUTED}"),
        ),
        rx.cond(page.considered.length() > 0, _why(page)),
        card(
            rx.el.dl(
                rx.foreach(page.facts, _fact_item),
                class_name="grid gap-x-6 gap-y-4 grid-cols-[repeat(auto-fill,minmax(min(13rem,100%),1fr))]",
            ),
            title="What is known of it",
            actions=facts_head,
        ),
        rx.cond(page.has_payload, _payload(page), _no_payload(page)),
        class_name="flex flex-col gap-5",
    )


def _how_it_went(page: Any, head: Any, *, has_playground: bool) -> rx.Component:
    replay = ReactRouterLink.create("Replay in the playground", to=page.playground, class_name=theme.SECONDARY)
    return card(
        rx.el.div(
            rx.el.code(page.shown_id, class_name="min-w-0 break-all font-mono text-sm"),
            copy_button(page.shown_id, "Copy id"),
            class_name="flex flex-wrap items-center gap-3",
        ),
        rx.el.p(
            state_badge(page.status, page.status_kind),
            rx.el.span(page.ending, class_name="ml-2"),
            rx.cond(page.is_sandbox, rx.el.span(badge("not a model", "warn"), class_name="ml-2")),
            class_name="mt-3 text-sm",
        ),
        rx.cond(page.words != "", rx.el.p(page.words, class_name=f"mt-3 max-w-prose {theme.ALERT['error']}")),
        rx.el.div(
            rx.cond(
                page.path != "",
                curl_button(page.shown_id, path=page.path, example=page.example, has_body=page.has_payload),
            ),
            *([replay] if has_playground else []),
            copy_button(page.report, "Copy for AI"),
            class_name="mt-4 flex flex-wrap gap-2",
        ),
        title="How it went",
        actions=head,
    )


def _why(page: Any) -> rx.Component:
    return card(
        decision_table(page.considered, page.preferences),
        title="Why it went there",
        actions=rx.el.span("as it was decided, before anybody was asked", class_name=f"text-sm {theme.MUTED}"),
    )


def _payload(page: Any) -> rx.Component:
    return card(
        rx.el.p(
            "An admin has the bodies of this client kept for some days, sealed. Its owner may read them; so may "
            "admins, which the audit log then notes.",
            class_name=f"mb-3 max-w-prose text-sm {theme.MUTED}",
        ),
        kept_payload(page.shown_id, action="/auth/secrets/payload"),
        title="What was asked and answered",
    )


def _no_payload(page: Any) -> rx.Component:
    return rx.el.p(
        "Neither the prompt nor the answer is kept. ",
        rx.cond(
            page.keeps_payloads,
            "An admin can have the bodies of a client kept from now on.",
            "Keeping them is switched off for this installation (AISERVICE_LOG_PAYLOADS).",
        ),
        class_name=f"text-sm {theme.MUTED}",
    )


def _fact_item(fact: Any) -> rx.Component:
    return rx.el.div(
        rx.el.dt(fact["name"], class_name=f"text-xs font-medium {theme.MUTED}"),
        rx.el.dd(
            rx.cond(
                fact["href"] != "",
                ReactRouterLink.create(fact["value"], to=fact["href"], class_name=f"break-all {theme.LINK}"),
                rx.el.span(fact["value"], class_name="break-all tabular-nums"),
            ),
            rx.el.span(fact["note"], class_name=f"block break-words text-xs {theme.MUTED}"),
            class_name="mt-0.5 text-sm",
        ),
        class_name="min-w-0",
    )


def _replayed(page: Any, head: Any) -> rx.Component:
    return card(
        rx.el.p(rx.el.code(page.shown_id, class_name="break-all font-mono text-sm")),
        rx.el.p(
            "Replayed from ",
            ReactRouterLink.create(
                page.original_id, to=f"{_BELOW}/{page.original_id}", class_name=f"break-all {theme.LINK}"
            ),
            ".",
            class_name="mt-3 text-sm",
        ),
        rx.el.p(
            "It came with the Idempotency-Key of that request and got its answer. No provider was asked again, and "
            "nothing was billed.",
            class_name=f"mt-3 max-w-prose text-sm {theme.MUTED}",
        ),
        title="How it went",
        actions=head,
    )


def _missing(page: Any) -> rx.Component:
    return card(
        rx.el.p(rx.el.code(page.shown_id, class_name="break-all font-mono text-sm"), class_name="text-center"),
        empty(
            "There is no such request",
            "It may be of a client that is not yours, or the id is not whole. A request that is still under way is "
            "listed when it has ended.",
            ReactRouterLink.create("All requests", to=_BELOW, class_name=theme.PRIMARY),
        ),
    )
