"""Unusual traffic: policies, verdicts with their evidence, and what a policy would have done."""

from typing import Any

from pydantic import Field

from aiservice.kit.clock import iso
from aiservice.management.models import At, Given, Names, Page, PageQuery, Told, at
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.abuse_features import Evidence
from aiservice.services.abuse_policies import read_ceilings, written
from aiservice.services.abuse_replay import MAX_DAYS
from aiservice.services.sanctions import ClientPolicy, Verdict

DEFAULT = "default"
Ceilings = Field(default=None, description="Such as requests/minute=600:throttle; costs are in USD. Null: as they are.")


class AbusePolicyGiven(Given):
    policy: str | None = Field(
        max_length=40, description="alert_only, throttle, quarantine or automatic; null is the default of all clients."
    )
    ceilings: Names | None = Ceilings


class AbuseReplayGiven(Given):
    client: str = Field(max_length=100)
    policy: str = Field(default="automatic", max_length=40)
    ceilings: Names = Field(default=[])
    days: int = Field(default=7, ge=1, le=MAX_DAYS)


class VerdictQuery(PageQuery):
    client: str | None = Field(default=None, max_length=100)
    live: bool = Field(default=False, description="Only what holds now.")


class AbusePolicyTold(Told):
    """`client` is null for the default of all clients."""

    client_id: str | None
    client: str | None
    policy: str
    own_policy: str | None
    ceilings: list[str]


class AbusePolicies(Told):
    data: list[AbusePolicyTold]


class VerdictTold(Told):
    id: str
    client_id: str
    client: str
    level: str
    policy: str
    score: float
    live: bool
    evidence: list[dict[str, Any]]
    since: At
    until: At
    undone_at: At | None
    undone_by: str | None


class WouldHaveTold(Told):
    at: At
    until: At
    level: str
    evidence: list[dict[str, Any]]


class AbuseReplayTold(Told):
    data: list[WouldHaveTold]


async def policies(call: Call) -> AbusePolicies:
    return AbusePolicies(data=[_policy(one) for one in await call.core.sanctions.policies(call.me)])


async def set_policy(call: Call, given: AbusePolicyGiven) -> AbusePolicyTold:
    client = None if call.args["client"] == DEFAULT else call.args["client"]
    ceilings = None if given.ceilings is None else read_ceilings(given.ceilings)
    return _policy(await call.core.sanctions.set_policy(call.me, client, given.policy, ceilings))


async def replay(call: Call, given: AbuseReplayGiven) -> AbuseReplayTold:
    ceilings = read_ceilings(given.ceilings)
    found = await call.core.replay.run(call.me, given.client, given.policy, ceilings, days=given.days)
    told = [
        WouldHaveTold(at=at(one.at_us), until=at(one.until_us), level=one.level, evidence=_evidence(one.evidence))
        for one in found
    ]
    return AbuseReplayTold(data=told)


async def verdicts(call: Call, query: VerdictQuery) -> Page[VerdictTold]:
    found = await call.core.sanctions.list(call.me, query.client, live_only=query.live)
    data, cursor = page_of(found, lambda one: (one.since_us, one.id), query, "sanctions", newest_first=True)
    return Page[VerdictTold](data=[_verdict(one) for one in data], next_cursor=cursor)


async def undo(call: Call) -> VerdictTold:
    return _verdict(await call.core.sanctions.undo(call.me, call.args["sanction"]))


def _policy(one: ClientPolicy) -> AbusePolicyTold:
    return AbusePolicyTold(
        client_id=one.client_id or None,
        client=one.client or None,
        policy=one.policy.name,
        own_policy=one.own_policy,
        ceilings=[written(name, each) for name, each in one.policy.ceilings.items()],
    )


def _verdict(one: Verdict) -> VerdictTold:
    return VerdictTold(
        id=one.id,
        client_id=one.client_id,
        client=one.client,
        level=one.level,
        policy=one.policy,
        score=one.score,
        live=one.is_live,
        evidence=_evidence(one.evidence),
        since=at(one.since_us),
        until=at(one.until_us),
        undone_at=iso(one.undone_us),
        undone_by=one.undone_by or None,
    )


def _evidence(evidence: tuple[Evidence, ...]) -> list[dict[str, Any]]:
    return [one._asdict() for one in evidence]


ROWS = (
    Row("GET", "/api/abuse/policies", "abuse_policy.list", policies, "The default, and what clients have of their own"),
    Row("PUT", "/api/abuse/policies/{client}", "abuse_policy.set", set_policy, "Set a client's policy, or `default`"),
    Row(
        "POST",
        "/api/abuse/replay",
        "abuse_policy.replay",
        replay,
        "What a policy would have done; does nothing",
        reads=True,
    ),
    Row("GET", "/api/sanctions", "sanction.list", verdicts, "Verdicts of the last 30 days, newest first"),
    Row("POST", "/api/sanctions/{sanction}/undo", "sanction.undo", undo, "End a sanction now"),
)
