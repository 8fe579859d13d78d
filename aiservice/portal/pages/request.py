"""One request at its own address: how it ended, what it cost, and a waterfall of every attempt with its reason."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import NotFound
from aiservice.portal import theme
from aiservice.portal.components.browser import copy_button, kept_payload, zone_switch
from aiservice.portal.components.decision import Considered, considered_of, decision_table
from aiservice.portal.components.parts import badge, card, empty, skeleton, state_badge
from aiservice.portal.components.requests import SANDBOX, cost_text, is_good, milliseconds, status_text
from aiservice.portal.components.waterfall import Step, steps_of, waterfall
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import Zone, url_of
from aiservice.portal.session.guard import handler, signed_in
from aiservice.portal.words import ending_words, error_words
from aiservice.services.core import current_core

_BELOW = "/requests"
_SOURCES = {
    "reported": "reported by the provider",
    "counted": "counted by us: the provider did not say",
    "estimated": "estimated: nothing could be counted",
}


class Fact(TypedDict):
    """One thing that is known of a request. With `href` it leads to all that have it in common."""

    name: str
    value: str
    note: str
    href: str


class RequestState(rx.State):
    """The request that the URL names."""

    shown_id: str = ""
    facts: list[Fact] = []
    steps: list[Step] = []
    considered: list[Considered] = []
    status: str = ""
    status_kind: str = ""
    ending: str = ""
    words: str = ""
    took: str = ""
    is_sandbox: bool = False
    has_payload: bool = False
    original_id: str = ""
    is_found: bool = False
    is_loaded: bool = False
    zone: str = "UTC"

    @handler()
    async def load(self) -> None:
        wanted = self.router.url.path.rstrip("/").rpartition("/")[2]
        self.shown_id, self.is_found, self.original_id = wanted[:60], False, ""
        try:
            entry = await current_core().requests.one(signed_in(), wanted)
            names = await current_core().requests.key_names([entry.key_id])
            self.has_payload = await current_core().payloads.is_kept(signed_in(), wanted)
            _show(self, entry, names.get(entry.key_id, entry.key_id), Zone.of(self.router.url.query_parameters))
            self.considered = considered_of(await current_core().decisions.find(entry.decision))
            replays = await current_core().replays.count_of(signed_in(), wanted)
            if replays:
                again = f"{replays:,} {'retry' if replays == 1 else 'retries'} got the same answer"
                self.facts.append(_fact("Idempotency-Key", again, "nothing more was asked or billed"))
        except NotFound:  # the page says so, unless it was answered with what another was answered
            self.original_id = await current_core().replays.original_of(signed_in(), wanted) or ""
        self.is_loaded = True

    @handler()
    async def choose_zone(self, name: str) -> Any:
        return rx.redirect(url_of(f"{_BELOW}/{self.shown_id}", {"tz": "" if name == "UTC" else name}))


def _show(state: RequestState, entry: Any, key: str, zone: Zone) -> None:
    state.is_found, state.zone = True, zone.name
    state.status, state.status_kind = status_text(entry), "good" if is_good(entry) else "bad"
    state.ending = ending_words(entry.outcome)
    state.words = "" if is_good(entry) else error_words(entry.error_code, entry.status)
    state.took = milliseconds((entry.ended_us - entry.started_us) / 1000)
    state.is_sandbox = entry.provider == SANDBOX
    state.facts = _facts(entry, key, zone)
    state.steps = steps_of(entry)


def _facts(entry: Any, key: str, zone: Zone) -> list[Fact]:
    source = _SOURCES.get(entry.usage_source, entry.usage_source)
    if entry.is_usage_invalid:
        source += "; what the provider reported could not be true"
    parts = [
        f"{count:,} {name}"
        for name, count in (
            ("read from cache", entry.cached_input_tokens),
            ("written to cache", entry.cache_write_tokens),
            ("thinking", entry.reasoning_tokens),
        )
        if count
    ]
    asked = entry.requested_model or "auto"
    return [
        _fact("Began", f"{zone.show(entry.started_us)}", zone.name.replace("_", " ")),
        _fact("Took", milliseconds((entry.ended_us - entry.started_us) / 1000), _first_byte(entry)),
        _fact("Of that, the broker's own", _overhead(entry), "until the answer began to go out"),
        _fact("Tokens in", f"{entry.input_tokens:,}", source),
        _fact("Tokens out", f"{entry.output_tokens:,}", ", ".join(parts)),
        _fact("Cost", cost_text(entry), "no price is known for this model" if entry.cost_nano_usd is None else ""),
        _fact("Client", entry.client, "", client=entry.client_id),
        _fact("Key", key, entry.key_id, key=entry.key_id),
        _fact("Task", entry.task, f"through {entry.surface}", task=entry.task),
        _fact("Provider", entry.provider or "none", "", provider=entry.provider),
        _fact("Model", entry.model or "none", f"asked for: {asked}", model=entry.model),
        _fact("Answer", "stream" if entry.is_stream else "in one piece", ""),
    ]


def _fact(name: str, value: str, note: str, **filters: str) -> Fact:
    return Fact(name=name, value=value, note=note, href=url_of(_BELOW, filters) if any(filters.values()) else "")


def _first_byte(entry: Any) -> str:
    if entry.first_byte_us is None:
        return ""
    return f"first byte after {milliseconds((entry.first_byte_us - entry.started_us) / 1000)}"


def _overhead(entry: Any) -> str:
    return "not recorded" if entry.overhead_us is None else milliseconds(entry.overhead_us / 1000)


page: Any = RequestState  # in markup its attributes are Vars


@portal_page("/requests/[request_id]", title="Request", on_load=RequestState.load, below=_BELOW)
def request() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.cond(page.is_found, _found(), rx.cond(page.original_id != "", _replayed(), _missing())),
        rx.el.div(
            skeleton("h-24"), skeleton("h-64"), class_name="flex flex-col gap-5", custom_attrs={"aria-busy": "true"}
        ),
    )


def _found() -> rx.Component:
    return rx.el.div(
        card(
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
            title="How it went",
            actions=ReactRouterLink.create("All requests", to=_BELOW, class_name=theme.SECONDARY),
        ),
        card(
            waterfall(page.steps),
            title="Attempts",
            actions=rx.el.span("all of it took ", page.took, class_name=f"text-sm {theme.MUTED}"),
        ),
        rx.cond(
            page.considered.length() > 0,
            card(
                decision_table(page.considered),
                title="Why it went there",
                actions=rx.el.span("as it was decided, before anybody was asked", class_name=f"text-sm {theme.MUTED}"),
            ),
        ),
        card(
            rx.el.dl(
                rx.foreach(page.facts, _fact_item),
                class_name="grid gap-x-6 gap-y-4 grid-cols-1 min-[420px]:grid-cols-2 lg:grid-cols-3",
            ),
            title="What is known of it",
            actions=zone_switch(page.zone, page.choose_zone),
        ),
        rx.cond(
            page.has_payload,
            _payload(),
            rx.el.p("Neither the prompt nor the answer is kept.", class_name=f"text-sm {theme.MUTED}"),
        ),
        class_name="flex flex-col gap-5",
    )


def _payload() -> rx.Component:
    return card(
        rx.el.p(
            "An admin has the bodies of this client kept for some days, sealed. Its owner may read them; so may "
            "admins, which the audit log then notes.",
            class_name=f"mb-3 max-w-prose text-sm {theme.MUTED}",
        ),
        kept_payload(page.shown_id, action="/auth/secrets/payload"),
        title="What was asked and answered",
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
            rx.el.span(fact["note"], class_name=f"block break-all text-xs {theme.MUTED}"),
            class_name="mt-0.5 text-sm",
        ),
        class_name="min-w-0",
    )


def _replayed() -> rx.Component:
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
        actions=ReactRouterLink.create("All requests", to=_BELOW, class_name=theme.SECONDARY),
    )


def _missing() -> rx.Component:
    return card(
        rx.el.p(rx.el.code(page.shown_id, class_name="break-all font-mono text-sm"), class_name="text-center"),
        empty(
            "There is no such request",
            "It may be of a client that is not yours, or the id is not whole. A request that is still under way is "
            "listed when it has ended.",
            ReactRouterLink.create("All requests", to=_BELOW, class_name=theme.PRIMARY),
        ),
    )
