"""Clients in pages, each with what one wants to know at a look: its keys, what it spends, what bounds it, its state."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import Person
from aiservice.services.budget_words import budget_words
from aiservice.services.client_views import ClientView, view
from aiservice.services.rights import needs, scope
from aiservice.services.sanction_terms import sanction_of
from aiservice.store import budgets as budget_store
from aiservice.store import client_list as store
from aiservice.store.session import Database

PAGE_ROWS = 50
SPENT_DAYS = 30
_MAX_WORDS = 200


@dataclass(slots=True, frozen=True)
class ClientLine:
    """A client with its figures. Spending is of the last 30 days, UTC, today included, as far as it is rolled up;
    `sanction` is "throttle", "quarantine" or "block" until `sanction_until_us`, else ""."""

    client: ClientView
    live_keys: int
    last_used_us: int
    requests: int
    cost_nano_usd: int
    unpriced: int
    budgets: tuple[str, ...]
    sanction: str
    sanction_until_us: int


@dataclass(slots=True, frozen=True)
class ClientPage:
    """`following` is the place of the next page, "" at the end; `total` counts all that were asked for."""

    lines: Sequence[ClientLine]
    following: str
    total: int


@dataclass(slots=True, frozen=True)
class Asked:
    """What the list is narrowed to: `containing` in the name or the owner's address, a team's name, a state
    ("active", "disabled" or "" for all)."""

    containing: str = ""
    team: str = ""
    state: str = ""


class ClientList:
    """Admins see everybody's clients, developers their own. Reads roll-ups by day, never the ledger."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @needs("client.list")
    async def page(self, actor: Person, asked: Asked, *, after: str = "", limit: int = PAGE_ROWS) -> ClientPage:
        """The clients by name, behind the name `after`."""
        is_disabled = {"active": False, "disabled": True}.get(asked.state)
        wanted = store.Wanted(
            scope(actor, "client.list"), asked.containing.strip()[:_MAX_WORDS], asked.team[:_MAX_WORDS], is_disabled
        )
        return await self._page(wanted, after, limit)

    @needs("client.get")
    async def one(self, actor: Person, client_id: str) -> ClientLine | None:
        """The line of one client; None where there is none that the actor may see."""
        found = await self._page(store.Wanted(scope(actor, "client.get"), id=client_id), "", 1)
        return found.lines[0] if found.lines else None

    async def _page(self, wanted: store.Wanted, after: str, limit: int) -> ClientPage:
        now = now_us()
        today = now // DAY_US * DAY_US
        days = [today - back * DAY_US for back in range(SPENT_DAYS)]
        async with self._db.read() as session:
            rows = list(await store.page(session, wanted, after, limit + 1))
            total = await store.count(session, wanted)
            has_more, rows = len(rows) > limit, rows[:limit]
            ids = [row[0].id for row in rows]
            keys = await store.live_keys(session, ids, now)
            spent = await store.spent(session, ids, days)
            budgets: dict[str, list[str]] = {}
            for budget in await budget_store.of_subjects(session, ids):
                words = budget_words(budget.measure, budget.period, budget.cap, is_rolling=budget.is_rolling)
                budgets.setdefault(budget.subject, []).append(words)
        lines = []
        for client, email, team in rows:
            sanction, _ = sanction_of(client.sanction, now)
            lines.append(
                ClientLine(
                    view(client, email, team),
                    *keys.get(client.id, (0, 0)),
                    *spent.get(client.id, (0, 0, 0)),
                    tuple(budgets.get(client.id, ())),
                    "" if sanction is None else sanction.level,
                    0 if sanction is None else sanction.until_us,
                )
            )
        return ClientPage(lines, lines[-1].client.name if has_more and lines else "", total)
