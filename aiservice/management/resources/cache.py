"""The answer cache: policies, what it saved, and the end of what was kept. A scope is `platform`, `team:NAME` or
`client:NAME`; a task `*` is any."""

from typing import Annotated, Literal

from pydantic import Field

from aiservice.errors import NotFound, Unprocessable
from aiservice.kit.clock import HOUR_US, now_us
from aiservice.management.models import At, Given, Money, Page, PageQuery, Told, at, one_of
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.cache_policies import CachePolicyView
from aiservice.services.cache_terms import MOST_TTL_SECONDS, CacheRule
from aiservice.services.semantic_terms import SemanticRule

Mode = Literal["off", "ask", "on"]


class SimilarQuestions(Given):
    """SimilarQuestions questions share answers."""

    least_cosine: float = Field(ge=0.8, le=1)
    embeddings: str = Field(max_length=265, description="Who makes the vectors: connection:model.")
    judged_percent: int = Field(default=5, ge=0, le=100)
    least_precision_percent: int = Field(default=90, ge=0, le=100)


class CachePolicyGiven(Given):
    mode: Mode
    ttl_seconds: int = Field(default=3_600, ge=1, le=MOST_TTL_SECONDS)
    most_ttl_seconds: int = Field(default=86_400, ge=1, le=MOST_TTL_SECONDS)
    shared_by: Literal["client", "team"] = "client"
    similar: SimilarQuestions | None = None


class CachePurge(Given):
    client: str | None = Field(max_length=100, description="Name or id; null is everybody's, for admins.")


class StandingQuery(PageQuery):
    client: str | None = Field(default=None, max_length=100)
    hours: int = Field(default=24, ge=1, le=90 * 24, description="How far back.")


class SimilarTold(Told):
    least_cosine: float
    embeddings: str
    judged_percent: int
    least_precision_percent: int
    off_since: At | None
    precision_percent: int | None


class CachePolicyTold(Told):
    scope: Annotated[str, one_of("platform", "team", "client")]
    subject: str
    name: str
    task: str
    mode: Mode
    ttl_seconds: int
    most_ttl_seconds: int
    shared_by: Annotated[str, one_of("client", "team")]
    similar: SimilarTold | None
    updated_at: At


class CacheStandingTold(Told):
    client: str
    task: str
    hits: int
    coalesced: int
    misses: int
    similar: int
    judged: int
    agreed: int
    served_percent: int
    saved_tokens: int
    saved_cost: Money
    saved_seconds: float


class CachePurged(Told):
    purged: str


async def list_policies(call: Call, query: PageQuery) -> Page[CachePolicyTold]:
    found = await call.core.cache.policies.list(call.me)
    data, cursor = page_of(found, lambda one: (one.scope, one.subject, one.task), query, "cache-policies")
    return Page[CachePolicyTold](data=[_told(one) for one in data], next_cursor=cursor)


async def put(call: Call, given: CachePolicyGiven) -> CachePolicyTold:
    semantic = None
    if (similar := given.similar) is not None:
        semantic = SemanticRule(
            round(similar.least_cosine * 1_000),
            similar.embeddings,
            similar.judged_percent,
            similar.least_precision_percent,
        )
    rule = CacheRule(given.mode, given.ttl_seconds, given.most_ttl_seconds, given.shared_by, semantic)
    return _told(await call.core.cache.policies.set(call.me, *_scope(call), call.args["task"], rule))


async def clear(call: Call) -> None:
    if not await call.core.cache.policies.clear(call.me, *_scope(call), call.args["task"]):
        raise NotFound("Nothing is stored there.", code="cache_policy_not_found")


async def purge(call: Call, given: CachePurge) -> CachePurged:
    return CachePurged(purged=await call.core.cache.policies.purge(call.me, given.client))


async def standing(call: Call, query: StandingQuery) -> Page[CacheStandingTold]:
    found = await call.core.cache.tally.standing(call.me, now_us() - query.hours * HOUR_US, query.client)
    data, cursor = page_of(found, lambda one: (one.client, one.task), query, "cache-standing")
    told = [
        CacheStandingTold(
            client=one.client,
            task=one.task,
            hits=one.hits,
            coalesced=one.coalesced,
            misses=one.misses,
            similar=one.similar,
            judged=one.judged,
            agreed=one.agreed,
            served_percent=one.served_percent,
            saved_tokens=one.saved.tokens,
            saved_cost=Money.of_nano(one.saved.cost_nano_usd),
            saved_seconds=one.saved.took_us / 1_000_000,
        )
        for one in data
    ]
    return Page[CacheStandingTold](data=told, next_cursor=cursor)


def _scope(call: Call) -> tuple[str, str]:
    """Whose: (scope, name), as services name them. Raises: Unprocessable."""
    kind, _, ref = call.args["scope"].partition(":")
    if kind not in ("platform", "team", "client") or bool(ref) is (kind == "platform"):
        raise Unprocessable("Write platform, team:NAME or client:NAME.", code="unknown_scope", param="scope")
    return kind, ref


def _told(one: CachePolicyView) -> CachePolicyTold:
    rule, similar = one.rule, None
    if rule.semantic is not None:
        similar = SimilarTold(
            least_cosine=rule.semantic.least_permille / 1_000,
            embeddings=rule.semantic.embeddings,
            judged_percent=rule.semantic.judged_percent,
            least_precision_percent=rule.semantic.least_precision_percent,
            off_since=None if one.semantic_off_us is None else at(one.semantic_off_us),
            precision_percent=one.precision_percent,
        )
    return CachePolicyTold(
        scope=one.scope,
        subject=one.subject,
        name=one.name,
        task=one.task,
        mode=rule.mode,
        ttl_seconds=rule.ttl_seconds,
        most_ttl_seconds=rule.most_ttl_seconds,
        shared_by=rule.shared_by,
        similar=similar,
        updated_at=at(one.updated_us),
    )


_ONE = "/api/cache/policies/{scope}/{task}"
ROWS = (
    Row("GET", "/api/cache/policies", "cache.list", list_policies, "The policies you see"),
    Row("PUT", _ONE, "cache.policy", put, "Store a policy, in the place of the one before"),
    Row("DELETE", _ONE, "cache.policy", clear, "Remove a policy", status=204),
    Row("POST", "/api/cache/purge", "cache.purge", purge, "Give out nothing that was kept until now"),
    Row("GET", "/api/cache/standing", "cache.list", standing, "How often the cache answered, and what that saved"),
)
