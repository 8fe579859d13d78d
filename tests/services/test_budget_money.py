"""The money machine: whatever happens in whatever order, nobody is given what is not there, and spent is what was
settled. Two workers with journals of their own on one database; crashes, ended leases, new windows, other caps."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import Budget
from aiservice.services import budget_windows, slices, spending
from aiservice.services.changes import ChangeFeed
from aiservice.services.purses import Cost, Reservation
from aiservice.services.slices import Slices
from aiservice.services.spending import Spending
from aiservice.store import budget_slices, invariants
from aiservice.store.ledger import insert_entries
from aiservice.store.migrations import migrate
from aiservice.store.session import Database
from tests.services.usage_rows import row_of

_CAP = 10_000


@dataclass
class Worker:
    """One worker: what it holds, what is under way, and what it has settled and not yet posted."""

    holder: str
    spending: Spending
    open: list[Reservation] = field(default_factory=list)
    unposted: list[tuple[str, int]] = field(default_factory=list)


def budget_of(cap: int = _CAP, *, is_rolling: bool = False) -> Budget:
    return Budget("bud_1", "key", "key_1", "tokens", "day", is_rolling, cap)


async def put_budget(db: Database, cap: int) -> None:
    async with db.write() as session:
        await session.execute(text("DELETE FROM budget"))
        await session.execute(
            text(
                "INSERT INTO budget (id, scope, subject, measure, period, is_rolling, cap, created_us) "
                "VALUES ('bud_1', 'key', 'key_1', 'tokens', 'day', :no, :cap, 1)"
            ),
            {"cap": cap, "no": False},
        )


async def post(db: Database, worker: Worker, number: int) -> None:
    rows = [
        row_of(f"req_{worker.holder}_{number}_{n}", input_tokens=0, output_tokens=used, budgets=names)
        for n, (names, used) in enumerate(worker.unposted)
    ]
    worker.unposted.clear()
    await insert_entries(db, rows, worker.holder)


class MoneyMachine(RuleBasedStateMachine):
    """Requests never use more than they reserved, so nothing at all may go over the cap."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        url = f"sqlite+aiosqlite:///{self.folder.name}/money.sqlite"
        self.run(migrate(url, Path(self.folder.name)))
        self.db = Database(url)
        self.cap = self.most = _CAP
        self.count = 0
        self.posted = 0
        self.run(put_budget(self.db, self.cap))
        self.workers = [self.worker(), self.worker()]

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def worker(self) -> Worker:
        self.count += 1
        holder = f"jrn_{self.count}"
        return Worker(holder, Spending(Slices(self.db, holder, ChangeFeed(self.db), lambda: 2)))

    def teardown(self) -> None:
        self.run(self.db.close())
        self.loop.close()
        self.folder.cleanup()

    @rule(which=st.integers(0, 1), wanted=st.integers(1, 3_000), whole=st.booleans(), prompt=st.integers(0, 500))
    def reserve(self, which: int, wanted: int, whole: bool, prompt: int) -> None:
        worker = self.workers[which]
        try:
            taken = self.run(self.take(worker, Cost(0, 0, prompt), wanted, whole=whole))
        except BrokerError as error:
            assert error.status == 402
        else:
            assert 0 < taken.covers <= wanted
            worker.open.append(taken)

    async def take(self, worker: Worker, cost: Cost, wanted: int, *, whole: bool) -> Reservation:
        budgets, more = (budget_of(self.cap),), worker.spending.reserve if whole else worker.spending.begin
        taken = worker.spending.take(budgets, cost, wanted, now_us())
        if taken is None:
            return await more(budgets, cost, wanted, min(16, wanted))
        await asyncio.gather(*worker.spending.slices._tasks)
        return taken

    @precondition(lambda self: any(worker.open for worker in self.workers))
    @rule(which=st.integers(0, 1), place=st.integers(0, 9), outputs=st.integers(1, 800))
    def extend(self, which: int, place: int, outputs: int) -> None:
        worker = self.workers[which]
        if worker.open:
            reservation = worker.open[place % len(worker.open)]
            before = reservation.covers
            assert self.run(worker.spending.extend(reservation, outputs)) == reservation.covers - before

    @precondition(lambda self: any(worker.open for worker in self.workers))
    @rule(which=st.integers(0, 1), place=st.integers(0, 9), share=st.floats(0, 1))
    def settle(self, which: int, place: int, share: float) -> None:
        worker = self.workers[which]
        if worker.open:
            reservation = worker.open.pop(place % len(worker.open))
            used = int((reservation.cost.tokens + reservation.covers) * share)
            reservation.settle(0, used, time.monotonic())
            worker.unposted.append((reservation.names, used))

    @rule(
        which=st.integers(0, 1),
        wishes=st.lists(st.tuples(st.integers(1, 800), st.floats(0, 1)), min_size=2, max_size=6),
    )
    def rush(self, which: int, wishes: list[tuple[int, float]]) -> None:
        """Several at once, each of which takes, and then settles, while the others ask."""
        worker = self.workers[which]

        async def call(wanted: int, share: float) -> None:
            try:
                taken = await self.take(worker, Cost(0, 0, 3), wanted, whole=False)
                await worker.spending.extend(taken, wanted)
            except BrokerError as error:
                assert error.status == 402
            else:
                await asyncio.sleep(0)
                used = int((3 + taken.covers) * share)
                taken.settle(0, used, time.monotonic())
                worker.unposted.append((taken.names, used))

        async def all_of_them() -> None:
            await asyncio.gather(*(call(wanted, share) for wanted, share in wishes))

        self.run(all_of_them())

    @rule(which=st.integers(0, 1))
    def flush(self, which: int) -> None:
        self.posted += 1
        self.run(post(self.db, self.workers[which], self.posted))

    @rule(which=st.integers(0, 1))
    def give_back(self, which: int) -> None:
        worker = self.workers[which]
        for purse in worker.spending.slices.purses.values():
            purse.touched = float("-inf")
        self.run(worker.spending.slices.give_back_idle())

    @rule(which=st.integers(0, 1))
    def renew(self, which: int) -> None:
        self.run(self.workers[which].spending.slices.renew())

    @rule(which=st.integers(0, 1), is_adopted=st.booleans())
    def crash(self, which: int, is_adopted: bool) -> None:
        """Its journal is adopted by the node's next worker; or its machine is lost, and its lease ends."""
        worker, self.workers[which] = self.workers[which], self.worker()
        if is_adopted:
            # What was under way is posted as interrupted: with what the prompt cost.
            worker.unposted += [(each.names, each.cost.tokens) for each in worker.open]
            self.posted += 1
            self.run(post(self.db, worker, self.posted))
            self.run(budget_slices.end_all_of(self.db, worker.holder))
        else:
            self.run(self.end_lease(worker.holder))

    @rule(cap=st.integers(1_000, 2 * _CAP))
    def change_cap(self, cap: int) -> None:
        self.cap, self.most = cap, max(self.most, cap)
        self.run(self.tell_of(cap))

    async def tell_of(self, cap: int) -> None:
        await put_budget(self.db, cap)
        for worker in self.workers:
            worker.spending.slices._on_change("key", "key_1")
            await asyncio.gather(*worker.spending.slices._tasks)

    async def held(self) -> dict[str, int]:
        async with self.db.read() as session:
            rows = await session.execute(text("SELECT holder, SUM(amount) FROM budget_slice GROUP BY holder"))
            return {row[0]: row[1] for row in rows}

    async def end_lease(self, holder: str) -> None:
        async with self.db.write() as session:
            await session.execute(text("UPDATE budget_slice SET until_us = 0 WHERE holder = :h"), {"h": holder})
        await budget_slices.end_over(self.db)

    @invariant()
    def nothing_is_over_the_cap_and_spent_is_what_was_settled(self) -> None:
        async def look() -> tuple[list[str], list[str], list[tuple[int, int]]]:
            async with self.db.read() as session:
                windows = await session.execute(text("SELECT spent, reserved FROM budget_window"))
                return (
                    await invariants.windows_unlike_rows(session, 0),
                    await invariants.windows_unlike_slices(session),
                    [(row[0], row[1]) for row in windows],
                )

        unlike_rows, unlike_slices, windows = self.run(look())
        held = self.run(self.held())
        for worker in self.workers:
            purses = [*worker.spending.slices.purses.values(), *worker.spending.slices._old]
            known = sum(purse.left + purse.taken for purse in purses) + sum(used for _, used in worker.unposted)
            assert known == held.get(worker.holder, 0), "a worker knows what it holds, to the last token"
        assert unlike_rows == []
        assert unlike_slices == []
        for spent, reserved in windows:
            assert spent + reserved <= self.most


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what others might give back: nobody else runs."""
    monkeypatch.setattr(spending, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(slices, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(spending, "POLL_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("examples", [5, pytest.param(100, marks=pytest.mark.long)])
def test_no_order_of_events_gives_more_than_the_cap_or_loses_what_was_settled(examples: int) -> None:
    run_state_machine_as_test(
        MoneyMachine,
        settings=hypothesis_settings(max_examples=examples, stateful_step_count=30, deadline=None),
    )


async def test_a_window_that_ends_gives_a_new_one_and_the_old_is_charged_for_what_it_paid(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_budget(db, 100)
    worker = Worker("jrn_1", Spending(Slices(db, "jrn_1", ChangeFeed(db), lambda: 1)))
    budgets, cost = (budget_of(100),), Cost(0, 0, 0)
    before = await worker.spending.begin(budgets, cost, 100, 100)
    tomorrow = now_us() + DAY_US
    monkeypatch.setattr(spending, "now_us", lambda: tomorrow)
    assert worker.spending.take(budgets, cost, 1, tomorrow) is None
    after = await worker.spending.begin(budgets, cost, 100, 100)
    assert before.names != after.names
    for reservation, used in ((before, 60), (after, 70)):
        reservation.settle(0, used, time.monotonic())
        worker.unposted.append((reservation.names, used))
    await post(db, worker, 1)
    async with db.read() as session:
        rows = await session.execute(text("SELECT spent, reserved FROM budget_window ORDER BY start_us"))
        assert [tuple(row) for row in rows] == [(60, 40), (70, 30)]


async def test_a_rolling_window_counts_all_its_parts(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await put_budget(db, 100)
    worker = Worker("jrn_1", Spending(Slices(db, "jrn_1", ChangeFeed(db), lambda: 1)))
    budgets, cost, start = (budget_of(100, is_rolling=True),), Cost(0, 0, 0), now_us()
    for hours, wanted in ((0, 40), (2, 40)):
        monkeypatch.setattr(spending, "now_us", lambda hours=hours: start + hours * 3_600_000_000)
        (await worker.spending.begin(budgets, cost, wanted, wanted)).keep()
    with pytest.raises(BrokerError) as raised:
        await worker.spending.begin(budgets, cost, 30, 30)
    assert raised.value.status == 402
    monkeypatch.setattr(spending, "now_us", lambda: start + 25 * 3_600_000_000)
    assert (await worker.spending.begin(budgets, cost, 30, 30)).covers == 30
    assert budget_windows.window_at("day", start, is_rolling=True).start_us < start


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.long)])
async def test_t72_of_two_hundred_parallel_calls_on_two_nodes_exactly_twenty_pass(db: Database, rounds: int) -> None:
    for number in range(rounds):
        async with db.write() as session:
            await session.execute(text("DELETE FROM budget_slice"))
            await session.execute(text("DELETE FROM budget_window"))
            await session.execute(text("DELETE FROM ledger_entry"))
        await put_budget(db, 20 * 50)
        nodes = [
            Worker(holder, Spending(Slices(db, holder, ChangeFeed(db), lambda: 2)))
            for holder in (f"jrn_{number}a", f"jrn_{number}b")
        ]
        results = await asyncio.gather(*(_call(nodes[n % 2]) for n in range(200)))
        for place, node in enumerate(nodes):
            await post(db, node, place)
        async with db.read() as session:
            spent = (await session.execute(text("SELECT SUM(output_tokens) FROM ledger_entry"))).scalar_one()
            window = (await session.execute(text("SELECT spent, reserved FROM budget_window"))).one()
        assert results.count("passed") == 20
        assert spent == window.spent == 1_000


async def _call(node: Worker) -> str:
    """A whole answer of 50 tokens, no more and no less."""
    try:
        taken = await node.spending.reserve((budget_of(1_000),), Cost(0, 0, 10), 40, 40)
    except BrokerError as error:
        return error.code
    await asyncio.sleep(0.01)
    taken.settle(0, 50, time.monotonic())
    node.unposted.append((taken.names, 50))
    return "passed"
