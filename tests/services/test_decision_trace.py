"""Ids of decisions: remembered in bounds, and never of one that is not kept."""

from itertools import islice, permutations

import pytest

from aiservice.services import decision_trace
from aiservice.services.decision_trace import DecisionTrace
from aiservice.services.routing import Decided, Router
from aiservice.store.session import Database
from tests.services.test_routing import decide
from tests.services.test_routing_decision import view

SNAPSHOT = tuple(view(f"p{number}") for number in range(8))


def orders(count: int) -> list[Decided]:
    known = decide(Router(), SNAPSHOT, {"strategy": "latency"}).known
    return [Decided(places, (), known, None) for places in islice(permutations(known.places), count)]


def test_places_in_ever_other_orders_do_not_fill_the_memory(db: Database) -> None:
    trace, decisions = DecisionTrace(db), orders(2_500)
    ids = {trace.note(each, SNAPSHOT) for each in decisions}
    assert len(ids) == 2_500
    assert len(decisions[0].known.traced) <= 1_000
    again = orders(1)[0]
    assert trace.note(again, SNAPSHOT) == decisions[0].trace_id  # forgotten or not, the same decision has the same id


async def test_what_could_not_be_kept_while_the_database_stood_still_is_kept_by_the_next_request(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_trace, "_MOST_KNOWN", 2)
    trace, decisions = DecisionTrace(db), orders(3)
    third = [trace.note(each, SNAPSHOT) for each in decisions][-1]
    await trace.flush()
    assert await trace.find(third) is None
    known, places = decisions[2].known, decisions[2].candidates
    assert trace.note(Decided(places, (), known, None), SNAPSHOT) == third
    await trace.flush()
    assert await trace.find(third) is not None
