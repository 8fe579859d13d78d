"""One request as pages show it, at its own address or in a sheet beside the log."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.errors import NotFound
from aiservice.portal.components.decision import Considered, considered_of
from aiservice.portal.components.request_copies import call_of, report_of
from aiservice.portal.components.requests import SANDBOX, cost_text, is_good, milliseconds, status_text, units_text
from aiservice.portal.components.waterfall import Step, steps_of
from aiservice.portal.queries import Zone, in_own_zone, url_of, zone_in_url
from aiservice.portal.session.guard import handler, signed_in
from aiservice.portal.words import ending_words, error_words
from aiservice.services.core import current_core

REQUESTS = "/requests"
_SOURCES = {
    "reported": "reported by the provider",
    "counted": "counted by us: the provider did not say",
    "estimated": "estimated: nothing could be counted",
}
_CACHES = {
    "hit": "an answer that was kept: nothing was asked or billed",
    "coalesced": "the answer of the same request, under way when this one came",
    "miss": "looked into, and it held none",
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
    keeps_payloads: bool = False
    original_id: str = ""
    preferences: str = ""
    playground: str = ""
    path: str = ""
    example: str = ""
    report: str = ""
    is_found: bool = False
    is_loaded: bool = False
    zone: str = "UTC"

    @handler("request.get")
    async def load(self) -> None:
        wanted = self.router.url.path.rstrip("/").rpartition("/")[2]
        await show_request(self, wanted, Zone.of(in_own_zone(self.router.url.query_parameters)))

    @handler("request.get")
    async def choose_zone(self, name: str) -> Any:
        return rx.redirect(url_of(f"{REQUESTS}/{self.shown_id}", {"tz": zone_in_url(name)}))


async def show_request(state: RequestState, request_id: str, zone: Zone) -> None:
    """Fills the state with a request, or with that there is none that the person may see."""
    core, me = current_core(), signed_in()
    state.shown_id, state.is_found, state.original_id = request_id[:60], False, ""
    try:
        entry = await core.requests.one(me, request_id)
        names = await core.requests.key_names([entry.key_id])
        state.has_payload = await core.payloads.is_kept(me, request_id)
        _show(state, entry, names.get(entry.key_id, entry.key_id), zone)
        state.considered = considered_of(await core.decisions.find(entry.decision))
        state.report = report_of(entry, state.steps, state.considered)
        replays = await core.replays.count_of(me, request_id)
        if replays:
            again = f"{replays:,} {'retry' if replays == 1 else 'retries'} got the same answer"
            state.facts.append(_fact("Idempotency-Key", again, "nothing more was asked or billed"))
    except NotFound:  # the page says so, unless it was answered with what another was answered
        state.original_id = await core.replays.original_of(me, request_id) or ""
    state.keeps_payloads = core.payloads.is_allowed
    state.is_loaded = True


def _show(state: RequestState, entry: Any, key: str, zone: Zone) -> None:
    state.is_found, state.zone = True, zone.name
    state.status, state.status_kind = status_text(entry), "good" if is_good(entry) else "bad"
    state.ending = ending_words(entry.outcome)
    state.words = "" if is_good(entry) else error_words(entry.error_code, entry.status)
    state.took = milliseconds((entry.ended_us - entry.started_us) / 1000)
    state.is_sandbox = entry.provider == SANDBOX
    state.facts = _facts(entry, key, zone)
    state.steps = steps_of(entry)
    state.path, state.example = call_of(entry)
    state.preferences = url_of("/preferences", {"scope": f"client:{entry.client_id}", "task": entry.task})
    asked = {"client": entry.client_id, "task": entry.task, "model": entry.requested_model}
    state.playground = url_of("/playground", asked)


def _facts(entry: Any, key: str, zone: Zone) -> list[Fact]:
    asked = entry.requested_model or "auto"
    facts = [
        _fact("Began", f"{zone.show(entry.started_us)}", zone.name.replace("_", " ")),
        _fact("Took", milliseconds((entry.ended_us - entry.started_us) / 1000), _first_byte(entry)),
        _fact("Of that, the broker's own", _overhead(entry), "until the answer began to go out"),
        *_usage_facts(entry),
        _fact("Client", entry.client, "", client=entry.client_id),
        _fact("Key", key, entry.key_id, key=entry.key_id),
        _fact("Task", entry.task, f"through {entry.surface}", task=entry.task),
        _fact("Provider", entry.provider or "none", "", provider=entry.provider),
        _fact("Model", entry.model or "none", f"asked for: {asked}", model=entry.model),
        _fact("Answer", "stream" if entry.is_stream else "in one piece", ""),
        _fact("Cache", entry.cache or "no part in it", _CACHES.get(entry.cache or "", ""), cache=entry.cache or ""),
    ]
    if entry.trace_id:
        facts.append(_fact("Trace", entry.trace_id, "of the client's traceparent", id=entry.trace_id))
    if entry.upstream_id:
        facts.append(_fact("Provider's id", entry.upstream_id, "for its support", id=entry.upstream_id))
    return facts


def _usage_facts(entry: Any) -> list[Fact]:
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
    return [
        _fact("Tokens in", f"{entry.input_tokens:,}", source),
        _fact("Tokens out", f"{entry.output_tokens:,}", ", ".join(parts)),
        *([_fact("Used", units_text(entry), "what this work is counted in")] if entry.unit else ()),
        _fact("Cost", cost_text(entry), "no price is known for this model" if entry.cost_nano_usd is None else ""),
    ]


def _fact(name: str, value: str, note: str, **filters: str) -> Fact:
    return Fact(name=name, value=value, note=note, href=url_of(REQUESTS, filters) if any(filters.values()) else "")


def _first_byte(entry: Any) -> str:
    if entry.first_byte_us is None:
        return ""
    return f"first byte after {milliseconds((entry.first_byte_us - entry.started_us) / 1000)}"


def _overhead(entry: Any) -> str:
    return "not recorded" if entry.overhead_us is None else milliseconds(entry.overhead_us / 1000)
