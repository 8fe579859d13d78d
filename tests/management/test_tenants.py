"""T-57, T-54, T-58 without a browser: every act of every service, and every route of `/api`, by whoever is no owner,
with every id and name of another tenant in every argument that takes one. What is added is tried too, by itself."""

import inspect
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from time import monotonic
from typing import Any, get_type_hints

import pytest
import pytest_asyncio

from aiservice.errors import BrokerError
from aiservice.management import ROWS
from aiservice.management.rows import Row
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.finding import find
from aiservice.services.rights import action_of, is_for_admins
from tests.harness.arguments import Chosen, arguments
from tests.harness.evidence import Evidence
from tests.harness.tenants import Tenant, changed, own_ids, plant, snapshot
from tests.management.conftest import Caller, World, _caller

NO_ACTS = {"claim"}  # of an Idempotency-Key: made before an act, by a name that the gateway chooses
WRONG: tuple[Any, ...] = (None, 1.5, [], {"$gt": 0}, "x" * 5000, True)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Neighbours:
    """A tenant with one of everything, and who is none of its owners: a stranger, and a mate in the same team."""

    world: World
    victim: Tenant
    stranger: Caller
    mate: Caller

    def path(self) -> Any:
        return self.world.core.settings.data_dir / "aiservice.sqlite"

    def before(self, caller: Caller) -> dict[str, Any]:
        return snapshot(self.path(), own_ids(self.path(), caller.person))

    def assert_untouched(self, caller: Caller, before: dict[str, Any]) -> None:
        """No row is another one that is not the caller's own."""
        own = own_ids(self.path(), caller.person)
        assert not {*own} & {*self.victim.ids}, "a row of the victim's is the caller's"
        assert changed(before, snapshot(self.path(), own_ids(self.path(), caller.person))) == {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def near(world: World) -> Neighbours:
    victim = await plant(world.core, world.dan.person, "zq7x")
    mate = await _caller(world.core, "mate@example.org", Role.DEVELOPER)
    own = await world.core.clients.create(OPERATOR, "mates", mate.person.email)
    await world.core.clients.set_team(OPERATOR, own.id, "team-zq7x")
    return Neighbours(world, victim, world.eve, mate)


def acts(core: Any) -> Iterator[tuple[str, Any]]:
    """Every method of every service that names its action, by the path to it."""
    seen, left = set(), [(name, getattr(core, name)) for name in core.__dataclass_fields__]
    while left:
        path, service = left.pop()
        if id(service) in seen or not type(service).__module__.startswith("aiservice.services"):
            continue
        seen.add(id(service))
        left += [
            (f"{path}.{name}", value) for name, value in getattr(service, "__dict__", {}).items() if name[0] != "_"
        ]
        for name, method in inspect.getmembers(service, inspect.ismethod):
            if "actor" in inspect.signature(method).parameters and name not in NO_ACTS and not name.startswith("_"):
                yield f"{path}.{name}", method


async def told_by(method: Any, person: Person, chosen: Chosen) -> str:
    """Everything that an act tells, refusals included."""
    try:
        answer = method(person, **arguments(inspect.unwrap(method.__func__), chosen, skipping=2))
        if inspect.isasyncgen(answer):
            return "".join([str(each) async for each in answer])
        answer = await answer
        if isinstance(answer, AsyncIterator):
            return "".join([str(each) async for each in answer])
    except BrokerError as error:
        return error.message
    return repr(answer)


async def test_the_victim_has_something_of_everything(near: Neighbours) -> None:
    kinds = {name[:4] for name in near.victim.ids}
    assert {"usr_", "cli_", "key_", "tea_", "bud_", "alt_", "san_", "req_", "pat_", "als_"} <= kinds
    assert len(near.victim.words) > 15 and near.victim.numbers


async def test_the_victims_words_are_there_to_be_found(near: Neighbours) -> None:
    """What the tests below look for is what its owner sees."""
    owner, told = near.victim.person, ""
    for _, method in acts(near.world.core):
        if "list" in method.__name__ or method.__name__ in ("page", "one"):
            told += await told_by(method, owner, Chosen(near.victim.names[0], is_plausible=True))
    seen = near.victim.leaked(told)
    assert len(seen) > 8, seen


def is_refused(action: str | None) -> bool:
    """Whether a developer is refused whatever is named: T-54 tries that of each, so T-57's short form does without."""
    return action is not None and is_for_admins(action)


BY_WHOM = [
    ("mate", False),
    pytest.param("stranger", True, marks=pytest.mark.long),
    pytest.param("mate", True, marks=pytest.mark.long),
]


@pytest.mark.parametrize(("who", "are_all"), BY_WHOM)
async def test_t57_no_act_of_any_service_reads_or_writes_another_tenants(
    near: Neighbours, who: str, are_all: bool, evidence: Evidence
) -> None:
    caller, victim, calls = getattr(near, who), near.victim, 0
    before, leaks = near.before(caller), []
    methods = [one for one in acts(near.world.core) if are_all or not is_refused(action_of(one[1]))]
    wishes = [Chosen(value, is_plausible=True) for value in victim.values(are_all=are_all)]
    wishes += [Chosen(value) for value in victim.values() if are_all]
    wishes += [Chosen("chat", number, is_plausible=True) for number in victim.numbers]
    for path, method in methods:
        for wish in wishes:
            told = await told_by(method, caller.person, wish)
            leaks += [(path, wish.text, word) for word in victim.leaked(told, [wish.text], is_in_team=who == "mate")]
            calls += 1
    assert leaks == []
    near.assert_untouched(caller, before)
    assert calls > 500
    evidence.note(acts=len(methods), calls=calls, words_looked_for=len(victim.words), leaks=0, rows_changed=0)


async def test_t54_an_act_that_only_admins_may_is_refused_to_anybody_else(near: Neighbours) -> None:
    tried = 0
    for path, method in acts(near.world.core):
        action = action_of(method)
        if not is_refused(action):
            continue
        told = await told_by(method, near.stranger.person, Chosen(near.victim.names[0]))
        assert told.startswith(("Only an admin may", "Nobody else may")), (path, told)
        tried += 1
    assert tried > 60


async def test_t54_a_route_that_only_admins_may_is_refused_to_anybody_else(near: Neighbours) -> None:
    refused = [row for row in ROWS if is_refused(row.action)]
    for row in refused:
        path, body, query = calls_of(row, Chosen(near.victim.names[0], is_plausible=True))
        reply = await near.world.ask(near.stranger, row.method, path, body, query=query)
        assert reply.status in (400, 403, 422), (row.path, reply.status)
    assert len(refused) > 5


def calls_of(row: Row, chosen: Chosen) -> tuple[str, Any, str]:
    """The path, body and query of a route, with what was chosen in every part."""
    path = row.path
    for name in row.arguments:
        path = path.replace(f"{{{name}}}", chosen.word(name).replace("/", "%2F"))
    query = "&".join(
        f"{name}={value if isinstance(value, (str, int)) else chosen.text}"
        for name, value in (chosen.fill(row.query) if row.query else {}).items()
        if name not in ("cursor", "limit")
    )
    return path, chosen.fill(row.body) if row.body else None, query


@pytest.mark.parametrize(("who", "are_all"), BY_WHOM)
async def test_t57_no_route_of_the_api_reads_or_writes_another_tenants(
    near: Neighbours, who: str, are_all: bool, evidence: Evidence
) -> None:
    caller, victim = getattr(near, who), near.victim
    before, leaks, statuses = near.before(caller), [], Counter[int]()
    wishes = [Chosen(value, is_plausible=True) for value in victim.values(are_all=are_all)]
    wishes += [Chosen(value) for value in victim.values() if are_all]
    rows = [row for row in ROWS if are_all or not is_refused(row.action)]
    for row in rows:
        for wish in wishes:
            path, body, query = calls_of(row, wish)
            reply = await near.world.ask(caller, row.method, path, body, query=query)
            statuses[reply.status] += 1
            told = json.dumps([reply.body.decode(errors="replace"), reply.headers])
            leaks += [(row.path, wish.text, w) for w in victim.leaked(told, [wish.text], is_in_team=who == "mate")]
    assert leaks == []
    assert max(statuses) < 500, statuses
    near.assert_untouched(caller, before)
    evidence.note(routes=len(rows), calls=statuses.total(), leaks=0, rows_changed=0)


async def test_t58_no_column_of_a_table_is_taken_from_the_body_of_a_route(near: Neighbours) -> None:
    """Mass assignment: a field that the route does not name is refused, whatever column it is called after."""
    columns = {"role", "owner_id", "team_id", "digest", "is_disabled", "sanction", "keeps_payloads", "creator_id", "id"}
    for row in ROWS:
        if row.body is None:
            continue
        path, body, _ = calls_of(row, Chosen("nothing", is_plausible=True))
        for column in columns - set(row.body.model_fields):
            reply = await near.world.ask(near.world.ada, row.method, path, {**body, column: "x"})
            assert reply.status in (400, 404, 422), (row.path, column, reply.status)


async def test_t59_a_body_of_any_type_is_refused_or_answered_and_never_a_fault(near: Neighbours) -> None:
    for row in ROWS:
        for value in WRONG:
            path, body, _ = calls_of(row, Chosen("nothing", is_plausible=True))
            sent = dict.fromkeys(body, value) if body else value
            reply = await near.world.ask(near.stranger, row.method, path, sent)
            assert reply.status < 500, (row.path, value)


# A key is shown to its maker alone (test_key_reveals), and what a passkey is called opens nothing.
CANNOT_BE_REACHED = {"reveals.reveal", "accounts.factors.rename_passkey"}


class Worded(Chosen):
    """As the forms are filled: `words` by name, and the text in every other place."""

    def __init__(self, text: str, words: Mapping[str, str]) -> None:
        super().__init__(text, is_plausible=True)
        self._words = words

    def word(self, name: str) -> str:
        return self._words[name] if name in self._words else super().word(name)


# What a thief of a session would want (ASVS 7.5.1, 7.5.3); README › Operating it says the same in words.
ASK_AGAIN = {
    "key.roll", "key.reveal", "key.budget", "client.budget", "team.budget", "client.payloads", "connection.set_key",
    "connection.set_address", "person.role", "person.invite", "person.reset_link", "access_token.create",
    "factor.change", "factor.reset", "sign_in.rule", "sso.change", "sso.set_secret", "sso.switch", "sso.require",
    "sso.unlink",
}  # fmt: skip


async def test_t68_every_act_that_a_thief_would_want_asks_again_whatever_service_does_it(near: Neighbours) -> None:
    """By an admin whose session is older than five minutes, on rows that are there; nothing of it has any effect."""
    core, who = near.world.core, near.world.ada.person
    stale = replace(who, session_hash="f" * 64)
    before, asked = snapshot(near.path(), []), Counter[str]()
    for path, method in acts(core):
        action = action_of(method) or {"budgets.set": "client.budget", "budgets.clear": "client.budget"}.get(path)
        if action not in ASK_AGAIN or path in CANNOT_BE_REACHED:
            continue
        for value in near.victim.values():
            told = await told_by(
                method, stale, Worded(value, {"email": "new@e.org", "rule": "admins", "owner": who.email})
            )
            asked[path] += "This asks for your password again" in told
    silent = [path for path, count in asked.items() if not count]
    assert silent == [], silent
    assert len(asked) > 10
    assert changed(before, snapshot(near.path(), [])) == {}


async def test_t71_a_search_takes_wildcards_as_they_are_and_is_quick_whatever_it_is_given(near: Neighbours) -> None:
    """`%` and `_` name nothing but themselves, and a thousand of them cost no more than a word."""
    core, ada = near.world.core, near.world.ada.person
    await core.clients.create(OPERATOR, "100%_sure", near.victim.person.email)
    searches = {name: method for name, method in acts(core) if takes_a_search(method)}
    for name, method in searches.items():
        for text in ("%" * 1_000, "_" * 1_000, "%_" * 500, "\\" * 999):
            began = monotonic()
            told = await told_by(
                method, ada, Worded(text, dict.fromkeys(("client", "team", "state", "role", "client_id"), ""))
            )
            assert monotonic() - began < 2.2, (name, text[:3])
            assert near.victim.leaked(told) == [], (name, text[:3])
    found = await find(core.db, ada, "0%_s")
    assert [one.name for one in found] == ["100%_sure"]
    assert len(searches) >= 3, searches
    for text in ("%%", "__", "%_%"):
        assert [one.name for one in await find(core.db, ada, text)] == []


def takes_a_search(method: Any) -> bool:
    """Whether it, or a filter that it takes, has a text to look for in names."""
    hints = get_type_hints(inspect.unwrap(method.__func__))
    names = {*hints, *(one.name for hint in hints.values() if is_dataclass(hint) for one in fields(hint))}
    return bool(names & {"containing", "text", "words", "search", "q"})
