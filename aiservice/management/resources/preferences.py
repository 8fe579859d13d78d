"""Preferences: on which terms requests are routed, with their history. A scope is `platform`, `team:NAME`,
`client:NAME` or `key:ID`; a task `*` is any."""

from typing import Any, Literal

from pydantic import Field

from aiservice.errors import InvalidRequest, NotFound
from aiservice.management.models import At, Given, Page, PageQuery, Told, at
from aiservice.management.paging import page_of
from aiservice.management.problems import PreconditionFailed
from aiservice.management.rows import Call, Row
from aiservice.services.preference_trial import Draft, Trial
from aiservice.services.preferences import ANY_TASK, PreferenceView
from aiservice.services.routing_decision import Decision
from aiservice.services.routing_history import Version
from aiservice.services.routing_scopes import Scope
from aiservice.services.routing_terms import Terms
from aiservice.services.terms_words import sentence

Json = dict[str, Any]
TermsGiven = dict[str, Any]


class PreferenceGiven(Given):
    terms: TermsGiven = Field(description="As a request's own `preferences`: order, only, ignore, strategy, …")


class PreferenceQuery(PageQuery):
    scope: str | None = Field(default=None, max_length=200, description="platform, team:NAME, client:NAME or key:ID.")


class DryRunGiven(Given):
    scope: str = Field(max_length=200)
    task: str = Field(default=ANY_TASK, max_length=40)
    terms: TermsGiven | None = Field(description="Null: as if they were cleared.")
    model: str | None = Field(default=None, max_length=265, description="What a request would name as its model.")
    last_hour: bool = Field(default=True, description="Also what it would have done to the last hour's requests.")


class VersionQuery(PageQuery):
    scope: str = Field(max_length=200)
    task: str | None = Field(default=None, max_length=40)


class PreferenceTold(Told):
    """Stored terms. `version` is the number of their newest change: the ETag, and what If-Match takes."""

    scope: Literal["platform", "team", "client", "key"]
    holder: str
    holder_id: str
    task: str
    terms: Json
    says: str
    version: int
    updated_at: At | None

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


class PreferenceLine(Told):
    scope: Literal["platform", "team", "client", "key"]
    holder: str
    holder_id: str
    task: str
    terms: Json
    says: str
    updated_at: At


class VersionTold(Told):
    number: int
    task: str
    at: At
    by: str | None
    before: Json | None
    after: Json | None
    reverted_to: int | None


class CandidateTold(Told):
    place: int
    connection: str
    model: str
    why: str


class RemovedTold(Told):
    connection: str
    rule: str
    why: str


class ChangedTold(Told):
    request_id: str
    client: str
    task: str
    model: str
    before: str
    after: str
    started_at: At


class LastHour(Told):
    requests: int
    whole: bool
    refused: int
    unknown: int
    places: dict[str, int]
    changed: list[ChangedTold]
    says: str


class DryRunTold(Told):
    candidates: list[CandidateTold]
    removed: list[RemovedTold]
    refusal: str | None
    last_hour: LastHour | None


async def list_all(call: Call, query: PreferenceQuery) -> Page[PreferenceLine]:
    scope = None if query.scope is None else Scope.read(query.scope)
    found = await call.core.preferences.list(call.me, scope)
    data, cursor = page_of(found, lambda one: (one.scope, one.holder_id, one.task), query, "preferences")
    return Page[PreferenceLine](data=[_line(one) for one in data], next_cursor=cursor)


async def get(call: Call) -> PreferenceTold:
    scope, task = _place(call)
    for one in await call.core.preferences.list(call.me, scope):
        if one.task == task:
            return await _told(call, scope, one)
    raise NotFound("Nothing is stored there.", code="preference_not_found")


async def put(call: Call, given: PreferenceGiven) -> PreferenceTold:
    scope, task = _place(call)
    seen = await _seen(call, scope, task)
    terms = Terms.read(given.terms, "terms")
    return await _told(call, scope, await call.core.preferences.set(call.me, scope, task, terms, after_version=seen))


async def clear(call: Call) -> None:
    scope, task = _place(call)
    await _seen(call, scope, task)
    if not await call.core.preferences.clear(call.me, scope, task):
        raise NotFound("Nothing is stored there.", code="preference_not_found")


async def dry_run(call: Call, given: DryRunGiven) -> DryRunTold:
    terms = None if given.terms is None else Terms.read(given.terms, "terms")
    draft = Draft(Scope.read(given.scope), given.task, terms)
    decision = await call.core.trial.dry_run(call.me, draft, given.model)
    trial = await call.core.trial.on_last_hour(call.me, draft) if given.last_hour else None
    return _tried(decision, trial)


async def history(call: Call, query: VersionQuery) -> Page[VersionTold]:
    found = await call.core.preferences.history(call.me, Scope.read(query.scope), query.task)
    data, cursor = page_of(found, lambda one: (one.number,), query, "preference-versions", newest_first=True)
    return Page[VersionTold](data=[_version(one) for one in data], next_cursor=cursor)


async def revert(call: Call) -> PreferenceLine:
    number = call.args["number"]
    known = int(number) if number.isdecimal() and len(number) < 16 else 0
    return _line(await call.core.preferences.revert(call.me, known))


def _place(call: Call) -> tuple[Scope, str]:
    return Scope.read(call.args["scope"]), call.args["task"]


async def _newest(call: Call, scope: Scope, task: str) -> int:
    versions = await call.core.preferences.history(call.me, scope, task)
    return versions[0].number if versions else 0


async def _seen(call: Call, scope: Scope, task: str) -> int | None:
    """The version that the caller has seen, if they say so.

    Raises:
        PreconditionFailed: it is not the newest any more (the commit looks again). InvalidRequest: it is none.
    """
    said = call.if_match
    if said is None or said == "*":
        return None
    number = said.strip('"')
    if not (number.isdecimal() and len(number) < 16):
        raise InvalidRequest('If-Match takes the `version` that was read, such as "17".', code="invalid_version")
    if int(number) != await _newest(call, scope, task):
        raise PreconditionFailed
    return int(number)


def _line(one: PreferenceView) -> PreferenceLine:
    return PreferenceLine(
        scope=one.scope,
        holder=one.holder,
        holder_id=one.holder_id,
        task=one.task,
        terms=one.terms.to_json(),
        says=sentence(one.terms),
        updated_at=at(one.updated_us),
    )


async def _told(call: Call, scope: Scope, one: PreferenceView) -> PreferenceTold:
    return PreferenceTold(**_line(one).model_dump(), version=await _newest(call, scope, one.task))


def _version(one: Version) -> VersionTold:
    return VersionTold(
        number=one.number,
        task=one.name,
        at=at(one.at_us),
        by=one.actor or None,
        before=one.before,
        after=one.after,
        reverted_to=one.reverted_to,
    )


def _tried(decision: Decision, trial: Trial | None) -> DryRunTold:
    return DryRunTold(
        candidates=[
            CandidateTold(place=place, connection=one.connection.name, model=one.model, why=one.reason)
            for place, one in enumerate(decision.candidates, start=1)
        ],
        removed=[RemovedTold(connection=one.connection, rule=one.rule, why=one.words) for one in decision.removed],
        refusal=None if decision.refusal is None else decision.refusal.message,
        last_hour=None if trial is None else _hour(trial),
    )


def _hour(trial: Trial) -> LastHour:
    return LastHour(
        requests=trial.requests,
        whole=trial.is_whole,
        refused=trial.refused,
        unknown=trial.unknown,
        places=dict(trial.places),
        says=trial.words,
        changed=[
            ChangedTold(
                request_id=one.request_id,
                client=one.client,
                task=one.task,
                model=one.model,
                before=one.before,
                after=one.after,
                started_at=at(one.started_us),
            )
            for one in trial.changed
        ],
    )


_ONE = "/api/preferences/{scope}/{task}"
_VERSIONS = "/api/preference-versions"
ROWS = (
    Row("GET", "/api/preferences", "preference.list", list_all, "Stored terms that you see"),
    Row("POST", "/api/preferences/dry-run", "preference.try", dry_run, "What terms would do", reads=True),
    Row("GET", _ONE, "preference.list", get, "The terms of a scope and task"),
    Row("PUT", _ONE, "preference.set", put, "Store terms, in the place of those before", owns_versions=True),
    Row("DELETE", _ONE, "preference.clear", clear, "Remove terms", status=204, owns_versions=True),
    Row("GET", _VERSIONS, "preference.history", history, "Every change of a scope's terms, newest first"),
    Row("POST", f"{_VERSIONS}/{{number}}/revert", "preference.revert", revert, "Store again what a version stored"),
)
