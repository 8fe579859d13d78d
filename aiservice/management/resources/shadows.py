"""Shadow traffic: part of a client's requests is asked of another provider, too, and thrown away."""

from pydantic import Field

from aiservice.errors import NotFound
from aiservice.management.models import Given, Money, Page, PageQuery, Told
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.shadows import ShadowView


class ShadowGiven(Given):
    to: str = Field(max_length=265, description="connection or connection:model.")
    percent: float = Field(gt=0, le=100)


class ShadowTold(Told):
    """With what came of its calls in the last 30 days."""

    id: str
    client: str
    task: str
    connection: str | None
    model: str | None
    percent: float
    calls: int
    failed: int
    mean_ms: int | None
    real_ms: int | None
    cost: Money


async def list_all(call: Call, query: PageQuery) -> Page[ShadowTold]:
    data, cursor = page_of(await call.core.shadows.list(call.me), lambda one: (one.client, one.task), query, "shadows")
    return Page[ShadowTold](data=[_told(one) for one in data], next_cursor=cursor)


async def get(call: Call) -> ShadowTold:
    for one in await call.core.shadows.list(call.me):
        if (one.client, one.task) == (call.args["client"], call.args["task"]):
            return _told(one)
    raise NotFound("There is no such rule.", code="shadow_not_found")


async def put(call: Call, given: ShadowGiven) -> ShadowTold:
    made = await call.core.shadows.set(call.me, call.args["client"], call.args["task"], given.to, given.percent)
    return _told(made)


async def clear(call: Call) -> None:
    await call.core.shadows.clear(call.me, call.args["client"], call.args["task"])


def _told(one: ShadowView) -> ShadowTold:
    return ShadowTold(
        id=one.id,
        client=one.client,
        task=one.task,
        connection=one.connection,
        model=one.model or None,
        percent=one.percent,
        calls=one.calls,
        failed=one.failed,
        mean_ms=one.mean_ms,
        real_ms=one.real_ms,
        cost=Money.of_nano(one.cost_nano_usd),
    )


_ONE = "/api/shadows/{client}/{task}"
ROWS = (
    Row("GET", "/api/shadows", "shadow.list", list_all, "All rules, and what came of them"),
    Row("GET", _ONE, "shadow.list", get, "A client's rule for a task, by the client's name"),
    Row("PUT", _ONE, "shadow.set", put, "Make a rule, in the place of the one before"),
    Row("DELETE", _ONE, "shadow.clear", clear, "Take a rule away", status=204),
)
