"""The answer cache: what it answered and saved, the policies, and purges."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, SECOND_US, now_us
from aiservice.kit.durations import format_duration, parse_duration
from aiservice.portal import theme
from aiservice.portal.charts.usage_words import dollars
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.cache import PolicyLine, SavedLine, policy_table, saved_table
from aiservice.portal.components.cache_policy import Choice, policy_form
from aiservice.portal.components.parts import badge, card, empty, tile, waiting
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import allowed, handler, signed_in, tell
from aiservice.portal.session.live import put, watch
from aiservice.principal import Person
from aiservice.services.cache_policies import ANY_TASK, CachePolicyView
from aiservice.services.cache_tally import CacheStanding
from aiservice.services.cache_terms import CacheRule
from aiservice.services.core import current_core
from aiservice.services.rights import Reach, may
from aiservice.services.rights_table import ROW_OF_SCOPE
from aiservice.services.semantic_terms import SemanticRule

_DAYS = 7
_MODES = {"on": "always", "ask": "when asked", "off": "never"}
_LOOKS = {"on": "good", "ask": "plain", "off": "warn"}


class Tile(TypedDict):
    """A figure of the last days."""

    name: str
    value: str
    note: str


class SetPolicy(ValidatedDict):
    """The form that sets a policy."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    holder: str
    task: str
    mode: str
    ttl: str
    most_ttl: str
    shared_by: str
    similar: str
    embeddings: str
    judged: str
    precision: str


class CacheState(rx.State):
    """What the signed-in person may see of the cache."""

    tiles: list[Tile] = []
    saved: list[SavedLine] = []
    policies: list[PolicyLine] = []
    holders: list[Choice] = []
    is_loaded: bool = False

    @handler("cache.list")
    async def load(self) -> None:
        await _show(self)
        watch(self, _gather, _put)

    @handler("cache.policy")
    async def set_policy(self, form: SetPolicy) -> None:
        scope, ref = _holder(form["holder"])
        rule = CacheRule(
            form["mode"],  # type: ignore[arg-type]  # the service says what is none
            _seconds(form["ttl"], "ttl"),
            _seconds(form["most_ttl"], "most_ttl"),
            form["shared_by"],
            _semantic(form),
        )
        view = await current_core().cache.policies.set(signed_in(), scope, ref, form["task"], rule)
        await tell(self, f"Set. Answers for {view.name or 'everybody'} are kept {_MODES[view.rule.mode]}.")
        await _show(self)

    @handler("cache.policy")
    async def clear(self, holder: str, task: str) -> None:
        scope, ref = _holder(holder)
        await current_core().cache.policies.clear(signed_in(), scope, ref, task)
        await tell(self, "Cleared. What is less specific holds now.")
        await _show(self)

    @handler("cache.purge")
    async def purge(self, client_id: str) -> None:
        name = await current_core().cache.policies.purge(signed_in(), client_id or None)
        await tell(self, f"Purged. Nothing that was kept for {name} is given out any more.")
        await _show(self)


async def _show(state: CacheState) -> None:
    _put(state, await _gather())


def _put(state: CacheState, found: dict[str, Any]) -> None:
    put(state, **found, is_loaded=True)


async def _gather() -> dict[str, Any]:
    """What the page shows, by the names of its variables."""
    core, me = current_core(), signed_in()
    found = await core.cache.tally.standing(me, now_us() - _DAYS * DAY_US)
    return {
        "tiles": _tiles(found),
        "saved": [_saved(one) for one in found],
        "policies": [_policy(me, view) for view in await core.cache.policies.list(me)],
        "holders": [
            *([Choice(value="platform:", label="Everybody")] if may(me, "cache.policy", Reach.PLATFORM) else []),
            *[Choice(value=f"client:{one.id}", label=f"Client {one.name}") for one in await core.clients.list(me)],
            *[
                Choice(value=f"team:{one.id}", label=f"Team {one.name}")
                for one in (await core.teams.list(me) if may(me, "cache.policy", Reach.TEAM) else ())
            ],
        ],
    }


def _tiles(found: Any) -> list[Tile]:
    served = sum(one.hits + one.coalesced for one in found)
    asked = served + sum(one.misses for one in found)
    coalesced = sum(one.coalesced for one in found)
    tokens = sum(one.saved.tokens for one in found)
    money = sum(one.saved.cost_nano_usd for one in found)
    return [
        Tile(
            name="Answered by the cache",
            value=f"{served * 100 // asked} %" if asked else "none yet",
            note=f"{served:,} of {asked:,} requests; {coalesced:,} joined one under way",
        ),
        Tile(name="Tokens saved", value=f"{tokens:,}", note="what the answers used when they were made"),
        Tile(name="Money saved", value=dollars(money), note="at the prices of then"),
        Tile(
            name="Waiting saved", value=_time(sum(one.saved.took_us for one in found)), note="for all requests together"
        ),
    ]


def _saved(one: CacheStanding) -> SavedLine:
    return SavedLine(
        client_id=one.client_id,
        client=one.client,
        task=one.task,
        rate=f"{one.served_percent} %",
        width=f"{one.served_percent}%",
        counts=f"{one.hits:,} kept, {one.coalesced:,} joined, {one.misses:,} new",
        similar=f"{one.similar:,} to similar questions; {one.agreed:,} of {one.judged:,} judged agreed"
        if one.similar or one.judged
        else "",
        tokens=f"{one.saved.tokens:,}",
        money=dollars(one.saved.cost_nano_usd),
        time=_time(one.saved.took_us),
    )


def _policy(me: Person, view: CachePolicyView) -> PolicyLine:
    rule = view.rule
    times = f"{format_duration(rule.ttl_seconds)}, at most {format_duration(rule.most_ttl_seconds)}"
    return PolicyLine(
        holder=f"{view.scope}:{view.subject if view.scope != 'platform' else ''}",
        of=view.name or "Everybody",
        what=view.scope.capitalize(),
        task=view.task,
        task_words="every task" if view.task == ANY_TASK else view.task,
        mode=_MODES[rule.mode],
        look=_LOOKS[rule.mode],
        times="" if rule.mode == "off" else times,
        shared="the team" if rule.shared_by == "team" else "the client",
        similar=_similar_words(view),
        is_off=view.semantic_off_us is not None,
        is_mine=may(me, "cache.policy", ROW_OF_SCOPE[view.scope]),
    )


def _time(us: int) -> str:
    seconds = us / SECOND_US
    if seconds < 1:
        return f"{us // 1000} ms"
    return f"{seconds:.1f} s" if seconds < 60 else format_duration(round(seconds))


def _semantic(form: SetPolicy) -> SemanticRule | None:
    """What the form says of similar questions; None where it says nothing."""
    if not form["similar"].strip():
        return None
    try:
        least_permille = round(float(form["similar"]) * 1_000)
        percents = int(form["judged"]), int(form["precision"])
    except (ValueError, OverflowError):
        words = "Write how near similar questions must be as a number such as 0.95, and shares as whole numbers."
        raise InvalidRequest(words, param="similar") from None
    return SemanticRule(least_permille, form["embeddings"].strip(), *percents)


def _similar_words(view: CachePolicyView) -> str:
    semantic = view.rule.semantic
    if semantic is None:
        return ""
    if view.semantic_off_us is not None:
        return (
            f"Similar questions: switched off by itself. Only {view.precision_percent} % of those that were asked all "
            "the same got the same answer. Raise the similarity and set it again."
        )
    return f"Similar questions share from {semantic.least_permille / 1_000:g} on, by {semantic.embeddings}"


def _holder(text: str) -> tuple[str, str]:
    scope, colon, ref = text.partition(":")
    if not colon:
        raise InvalidRequest("Choose whose answers are meant.", param="holder")
    return scope, ref


def _seconds(text: str, param: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidRequest(str(error), param=param) from None


page: Any = CacheState  # in markup its attributes are Vars


@portal_page("/cache", title="Cache", icon="stack", place=42, on_load=CacheState.load)
def cache() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(
            rx.el.div(rx.foreach(page.tiles, tile), class_name="grid grid-cols-2 gap-3 xl:grid-cols-4"),
            _saved_card(),
            _policies_card(),
            rx.el.div(card(policy_form(page), title="Set a policy"), id="set-a-policy"),
            class_name="flex flex-col gap-5",
        ),
        waiting("h-24", "h-72"),
    )


def _saved_card() -> rx.Component:
    purge_all = confirm_button(
        "Purge everything",
        title="Purge everybody's answers?",
        text="Nothing that was kept until now is given out any more, on any worker. New answers are kept as before.",
        confirm="Purge everything",
        on_confirm=page.purge(""),
        class_name=theme.SECONDARY,
    )
    return card(
        rx.cond(
            page.saved.length() > 0,
            saved_table(page.saved, page.purge),
            empty(
                "Nothing to show yet",
                "Answers are kept where a request asks for it (“cache”: {“ttl”: 300} in its body, or the header "
                "x-aiservice-cache-ttl), or where a policy says so.",
                rx.el.a("Set a policy", href="#set-a-policy", class_name=theme.PRIMARY),
            ),
        ),
        title=f"The last {_DAYS} days",
        actions=rx.fragment(rx.cond(allowed("cache.purge", Reach.PLATFORM), purge_all), badge("live", "good")),
    )


def _policies_card() -> rx.Component:
    return card(
        rx.cond(
            page.policies.length() > 0,
            policy_table(page.policies, page.clear),
            empty(
                "No policy",
                "Answers are kept where a request asks for it, for a day at most, and given to its own client alone.",
                rx.el.a("Set a policy", href="#set-a-policy", class_name=theme.SECONDARY),
            ),
        ),
        title="Policies",
    )
