"""How limits stand, as the page of limits shows them: put together once for all open pages of a person."""

import asyncio
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, TypedDict

from aiservice.kit.loop_share import in_turns
from aiservice.portal.components.answer_example import answer_text
from aiservice.portal.components.limit_binding import binding_rows, free_again, level_of
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.limit_binding import bindings
from aiservice.services.limit_names import words_of
from aiservice.services.limit_standing import Holder
from aiservice.services.limiter import Standing, refusal_of
from aiservice.services.rights import Reach, may

_EXAMPLE_WAIT_US = 12_400_000
_ROWS_AT_ONCE = 25
MOST_ROWS = 200
SCOPES = {"team": "Team", "client": "Client", "key": "Key"}


class LimitRow(TypedDict):
    """One limit and how it stands; `holder` is scope and id, for the handler that clears it."""

    holder: str
    name: str
    what: str
    of: str
    words: str
    used: str
    width: str
    level: str
    free: str
    is_mine: bool


@dataclass(slots=True, frozen=True)
class LimitsShown:
    """What all of a person's open pages show, by the names of the page's variables, and of whom that is."""

    holders: tuple[Holder, ...]
    shown: dict[str, Any]


async def limits_shown(core: Core, me: Person) -> LimitsShown:
    """The limits that the person may see: the fullest `MOST_ROWS`, and what binds each key first."""
    found = await core.limit_standing.of(me)
    standing = [(holder, one) for holder in found.holders for one in holder.standing]
    left_out = max(0, len(standing) - MOST_ROWS)
    if left_out:  # what is used most is what somebody looks for
        standing = nlargest(MOST_ROWS, standing, key=lambda each: each[1].used / each[1].limit.amount)
    rows = [_row(me, *each) async for each in in_turns(standing, _ROWS_AT_ONCE)]
    await asyncio.sleep(0)
    tightest = bindings(found.holders)
    shown = {
        "rows": rows,
        "left_out": left_out,
        "bindings": binding_rows(
            tightest, may_limit_all=may(me, "client.limits", Reach.ANYONE), contact=_contact(core)
        ),
        "example": answer_text(refusal_of(tightest[0].standing.limit, _EXAMPLE_WAIT_US)) if tightest else "",
        "is_whole": found.is_whole,
    }
    return LimitsShown(found.holders, shown)


def _contact(core: Core) -> str:
    """Whom to ask for more: the address that the operator gave, if they gave one."""
    return f"an admin ({core.settings.admin_email})" if core.settings.admin_email else "an admin"


def _row(me: Person, holder: Holder, standing: Standing) -> LimitRow:
    limit, part = standing.limit, min(1.0, standing.used / standing.limit.amount)
    within = f" of {holder.within}" if holder.scope == "key" else ""
    return LimitRow(
        holder=f"{holder.scope}:{holder.id}",
        name=limit.name,
        what=SCOPES[holder.scope],
        of=f"{holder.name}{within}",
        words=f"{limit.amount:,} {words_of(limit.name)}",
        used=f"{standing.used:,} of {limit.amount:,}",
        width=f"{part:.0%}",
        level=level_of(part),
        free=free_again(standing),
        is_mine=may_change(me, holder),
    )


def may_change(me: Person, holder: Holder) -> bool:
    """Whether to offer it: who may is the service's to say."""
    return may(me, f"{holder.scope}.limits")
