"""What is kept for a time, and the end of what is past it. For admins."""

from aiservice.kit.clock import iso
from aiservice.management.models import At, Gone, Told
from aiservice.management.rows import Call, Row
from aiservice.services.retention import Kept


class KeptTold(Told):
    """`rows` are counted, or where that takes long `estimated`; `over` are those past their time."""

    name: str
    title: str
    kept: str
    setting: str | None
    rows: int
    estimated: bool
    oldest_at: At | None
    over: int
    can_purge: bool


class KeptList(Told):
    data: list[KeptTold]


async def list_all(call: Call) -> KeptList:
    return KeptList(data=[_told(one) for one in await call.core.retention.list(call.me)])


async def purge(call: Call) -> Gone:
    return Gone(removed=await call.core.retention.purge(call.me, call.args["name"]))


def _told(one: Kept) -> KeptTold:
    return KeptTold(
        name=one.name,
        title=one.title,
        kept=one.kept,
        setting=one.setting or None,
        rows=one.rows,
        estimated=one.is_estimate,
        oldest_at=iso(one.oldest_us),
        over=one.over,
        can_purge=one.can_purge,
    )


ROWS = (
    Row("GET", "/api/retention", "retention.list", list_all, "What is kept, for how long, and what is past its time"),
    Row("POST", "/api/retention/{name}/purge", "retention.purge", purge, "Delete what is past its time now"),
)
