"""T-57, T-54, T-27 by introspection: every handler and route there is, with every id of another person put in every
argument that takes text. What is added to the portal later is tried too, without a line here."""

import asyncio
import contextlib
import inspect
import json
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from reflex_base.registry import RegistrationContext

from aiservice.aiservice import app
from aiservice.portal.session import exports, playground
from aiservice.portal.session.exports import EXPORTS
from aiservice.portal.session.gate import FRAMEWORK_HANDLERS
from aiservice.portal.session.guard import guard_of
from aiservice.portal.session.reveal import ACTIONS, PREFIX
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.opening import open_core
from aiservice.services.rights import is_for_admins
from aiservice.settings import Settings
from tests.harness.arguments import Chosen, Drawn, arguments
from tests.harness.evidence import Evidence
from tests.harness.tenants import Tenant, changed, own_ids, plant, snapshot
from tests.portal.server import PASSWORD, Attacker, PortalServer
from tests.portal.test_rights import OF_A_TEST

pytestmark = pytest.mark.process
assert app is not None  # importing it registers every state and handler

# What a page reads of its address.
IN_ADDRESSES = (
    "client", "key", "q", "provider", "team", "user", "model", "request", "open", "show", "scope", "by", "task",
    "subject", "connection", "id", "owner", "from", "until", "state",
)  # fmt: skip
# Rows that come by themselves meanwhile, of what others did before.
BY_JOBS = {"alert_event", "alert_course", "alert_delivery", "ledger_entry", "abuse_hour", "answer_replay"}


@dataclass
class Planted:
    """The victim, and its mate's address and cookie."""

    victim: Tenant
    mate: str
    cookie: str

    @property
    def number(self) -> int:
        return self.victim.numbers[0]


class Victim:
    """A person with a key, traffic and a session, and all ids by which these could be asked for."""

    def __init__(self, portal: PortalServer) -> None:
        self.email = f"{secrets.token_hex(6)}@example.test"
        cookie = {"Cookie": portal.cookie_of(self.email, is_new=True)}
        key = httpx.post(f"{portal.url}{PREFIX}/first-key", headers=cookie, json={}).json()
        self.secret, self.key_id, self.client = key["secret"], key["id"], key["client"]
        authorization = {"Authorization": f"Bearer {self.secret}"}
        chat = {"messages": [{"role": "user", "content": "of the victim"}]}
        answer = httpx.post(f"{portal.url}/v1/chat/completions", headers=authorization, json=chat)
        assert answer.status_code == 200
        self.request_id = answer.headers["x-request-id"]
        self.user_id = read(portal, "SELECT id FROM person WHERE email = ?", self.email)[0][0]
        self.client_id = read(portal, "SELECT id FROM client WHERE owner_id = ?", self.user_id)[0][0]
        self.session = read(portal, "SELECT * FROM portal_session WHERE user_id = ?", self.user_id)[0][0]

    def ids(self) -> list[str]:
        names = [self.key_id, self.client, self.client_id, self.user_id, self.request_id, str(self.session)]
        return [name for name in names if name]

    def secrets_and_names(self) -> list[str]:
        """What an answer to somebody else must not hold; none of it is sent by the attacker."""
        return [self.secret.rsplit("_", 1)[-1], self.email]


def read(portal: PortalServer, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{portal.folder}/data/aiservice.sqlite?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


def guarded() -> dict[str, Any]:
    found = {name: item.handler.fn for name, item in RegistrationContext.get().event_handlers.items()}
    product = {name: fn for name, fn in found.items() if name not in FRAMEWORK_HANDLERS and OF_A_TEST not in name}
    return {name: fn.__wrapped__ for name, fn in product.items()}


def registered(name: str) -> Any:
    return RegistrationContext.get().event_handlers[name].handler


def loads() -> list[str]:
    return [name for name in guarded() if name.endswith(".load")]


@pytest.fixture(scope="module")
def planted(portal: PortalServer) -> Planted:
    """A tenant with one of everything in the server's own database, and a mate of its team."""
    mark = f"zq{secrets.token_hex(3)}"
    victim, mate = (f"{who}-{mark}@example.test" for who in ("victim", "mate"))
    portal.cookie_of(victim, is_new=True)
    cookie = portal.cookie_of(mate, is_new=True)
    own = httpx.post(f"{portal.url}{PREFIX}/first-key", headers={"Cookie": cookie}, json={}).json()["client"]
    user_id = read(portal, "SELECT id FROM person WHERE email = ?", victim)[0][0]

    async def made() -> Tenant:
        async with open_core(Settings(data_dir=portal.folder / "data")) as core:
            tenant = await plant(core, Person(user_id, victim, Role.DEVELOPER), mark)
            await core.clients.set_team(OPERATOR, own, f"team-{mark}")
            return tenant

    return Planted(asyncio.run(made()), mate, cookie)


class Attack:
    """Events of one person, and what must hold after them."""

    def __init__(self, portal: PortalServer, planted: Planted, email: str, cookie: str) -> None:
        self._portal, self._victim, self._cookie = portal, planted.victim, cookie
        user_id = read(portal, "SELECT id FROM person WHERE email = ?", email)[0][0]
        self._person = Person(user_id, email, Role.DEVELOPER)
        self._is_in_team = email == planted.mate
        self._path = portal.folder / "data" / "aiservice.sqlite"
        self.calls = 0

    async def run(self, wishes: Callable[[], Iterable[Chosen]], handlers: Mapping[str, Any]) -> None:
        """Sends every wish to every handler, in its arguments and in the address of its page.

        Nothing of the victim's is told, and no row that is not the person's own is another one after it."""
        before = snapshot(self._path, own_ids(self._path, self._person))
        async with Attacker(self._portal, cookie=self._cookie, token=secrets.token_hex(8)) as attacker:
            await attacker.hydrate("/keys")
            sent: set[str] = set()
            for place, (name, function) in enumerate(handlers.items()):
                for wish in wishes():
                    await self._send(attacker, name, function, wish)
                    sent |= wish.sent if isinstance(wish, Drawn) else {wish.text}
                if place % 8 == 0:
                    await attacker.settle(0.05)
            await attacker.settle(1.0)
            told = json.dumps(attacker.received)
        assert len(attacker.received) > len(handlers), "the events were not answered"
        assert self._victim.leaked(told, sent, is_in_team=self._is_in_team) == []
        own = own_ids(self._path, self._person)
        assert not {*own} & {*self._victim.ids}
        for table, (gone, come) in changed(before, snapshot(self._path, own)).items():
            assert gone == [], table
            by_jobs = table in BY_JOBS and not any(name in repr(come) for name in self._victim.ids)
            assert by_jobs, (table, come)

    async def _send(self, attacker: Attacker, name: str, function: Any, wish: Chosen) -> None:
        value = quote(wish.word("address"), safe="")
        asked = "&".join(f"{each}={value}" for each in IN_ADDRESSES)
        router = {"pathname": "/x", "asPath": f"/requests/{value}?{asked}", "query": {}}
        event = {"name": name, "payload": arguments(function, wish, skipping=1), "router_data": router}
        await attacker.client.emit("event", event, namespace="/_event")
        self.calls += 1


def open_to_developers() -> dict[str, Any]:
    """The handlers that are not refused to a developer whatever is named (T-54 tries those)."""
    return {
        name: function
        for name, function in guarded().items()
        if not (guard := guard_of(registered(name))) or guard.is_public or not is_for_admins(guard.action)
    }


async def test_t57_no_handler_gives_or_changes_anything_of_another_tenant(
    portal: PortalServer, planted: Planted
) -> None:
    attack = Attack(portal, planted, planted.mate, planted.cookie)
    values = [value for value in planted.victim.values(are_all=False) if value not in planted.victim.names]
    await attack.run(
        lambda: [Chosen(value, planted.number, is_plausible=True) for value in values], open_to_developers()
    )
    assert attack.calls > 500


@pytest.mark.long
@pytest.mark.parametrize("who", ["stranger", "mate"])
async def test_t57_ten_thousand_events_of_any_arguments_give_and_change_nothing_of_another_tenant(
    portal: PortalServer, planted: Planted, who: str, seed: int, evidence: Evidence
) -> None:
    """Every id and name by itself in every argument of every handler; then arguments drawn at random, position by
    position, among all that is the victim's, all that is one's own, and what is plausible there."""
    email, cookie = planted.mate, planted.cookie
    if who == "stranger":
        email = f"{secrets.token_hex(6)}@example.test"
        cookie = portal.cookie_of(email, is_new=True)
        httpx.post(f"{portal.url}{PREFIX}/first-key", headers={"Cookie": cookie}, json={})
    attack, victim, draw = Attack(portal, planted, email, cookie), planted.victim, Random(seed)
    for are_plausible in (True, False):
        await attack.run(
            lambda is_one=are_plausible: [  # type: ignore[misc]
                Chosen(value, planted.number, is_plausible=is_one) for value in victim.values()
            ],
            guarded(),
        )
    user_id = read(portal, "SELECT id FROM person WHERE email = ?", email)[0][0]
    own = own_ids(portal.folder / "data" / "aiservice.sqlite", Person(user_id, email, Role.DEVELOPER))
    texts, numbers = [*victim.values(), *own], [*victim.numbers, 0, 1, -1]
    await attack.run(lambda: [Drawn(texts, numbers, draw) for _ in range(20)], guarded())
    evidence.note(handlers=len(guarded()), events=attack.calls, words_looked_for=len(victim.words), leaks=0, writes=0)


async def test_t54_every_handler_for_admins_refuses_a_developer(portal: PortalServer) -> None:
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    refused = guarded().keys() - open_to_developers().keys()
    async with Attacker(portal, cookie=cookie) as developer:
        await developer.hydrate("/keys")
        for name in sorted(refused):
            payload = arguments(guarded()[name], Chosen("x", is_plausible=True), skipping=1)
            event = {"name": name, "payload": payload, "router_data": {"pathname": "/keys", "asPath": "/keys"}}
            seen = len(developer.received)
            await developer.client.emit("event", event, namespace="/_event")
            try:
                await developer.until(lambda seen=seen: any(map(_is_refusal, developer.received[seen:])))  # type: ignore[misc]
            except TimeoutError:
                pytest.fail(f"{name} does not refuse: {developer.received[seen:]}")
    assert len(refused) > 40


def _is_refusal(update: dict[str, Any]) -> bool:
    """Whether a message of the server says that this is for admins."""
    deltas = [values for name, values in (update.get("delta") or {}).items() if name.endswith("session_state")]
    return any(str(values.get("notice_rx_state_", "")).startswith("Only an admin may") for values in deltas)


def field_names(act: Any) -> set[str]:
    """What a route for secrets reads of its form, wherever that is written."""
    source = inspect.getsource(inspect.getclosurevars(act).nonlocals.get("action", act))
    return set(re.findall(r'fields\.(?:required|optional)\(\s*"(\w+)"', source))


def test_t57_no_route_for_secrets_gives_or_changes_anything_of_another_tenant(
    portal: PortalServer, planted: Planted
) -> None:
    victim, path = planted.victim, portal.folder / "data" / "aiservice.sqlite"
    email = f"{secrets.token_hex(6)}@example.test"
    headers = {"Cookie": portal.cookie_of(email, is_new=True)}
    httpx.post(f"{portal.url}{PREFIX}/first-key", headers=headers, json={})
    user_id = read(portal, "SELECT id FROM person WHERE email = ?", email)[0][0]
    person = Person(user_id, email, Role.DEVELOPER)
    before, asked = snapshot(path, own_ids(path, person)), 0
    with httpx.Client(base_url=portal.url, headers=headers, timeout=30) as client:
        for route, (action, act) in ACTIONS.items():
            names = field_names(act)
            for value in victim.values(are_all=False) if names and not is_for_admins(action) else ["x"]:
                wish = Chosen(value, is_plausible=True)
                answer = client.post(PREFIX + route, json={name: wish.word(name) for name in names})
                assert answer.status_code < 500, (route, answer.text)
                assert victim.leaked(answer.text, [value]) == [], (route, value, answer.text)
                asked += len(names) > 0
    own = own_ids(path, person)
    assert {table: rows for table, (rows, _) in changed(before, snapshot(path, own)).items() if rows} == {}
    assert asked > 60


def test_t57_no_export_and_no_call_of_the_playground_gives_anything_of_another_tenant(
    portal: PortalServer, planted: Planted
) -> None:
    victim = planted.victim
    headers = {"Cookie": planted.cookie, "sec-fetch-site": "same-origin", "origin": portal.url}
    with httpx.Client(base_url=portal.url, headers=headers, timeout=30) as client:
        for value in victim.values(are_all=False):
            asked = "&".join(f"{each}={quote(value, safe='')}" for each in IN_ADDRESSES)
            for export, (action, _) in EXPORTS.items():
                answer = client.get(f"{exports.PREFIX}{export}?{asked}")
                assert victim.leaked(answer.text, [value], is_in_team=True) == [], (export, value)
                assert answer.status_code == 403 if is_for_admins(action) else answer.status_code < 500
            for call in playground.CALLS:
                answer = client.post(f"{call}?client={quote(value, safe='')}", json={"input": "x", "task": "chat"})
                assert answer.status_code == 404, (call, value, answer.text)
                assert victim.leaked(answer.text, [value], is_in_team=True) == []


@pytest.mark.parametrize("role", ["admin", pytest.param("developer", marks=pytest.mark.long)])
async def test_t27_no_page_loaded_by_any_role_is_sent_a_secret(portal: PortalServer, role: str) -> None:
    victim = Victim(portal)
    cookie = portal.cookie_of() if role == "admin" else portal.cookie_of(f"{secrets.token_hex(6)}@e.test", is_new=True)
    made = httpx.post(f"{portal.url}{PREFIX}/first-key", headers={"Cookie": cookie}, json={}).json()
    async with Attacker(portal, cookie=cookie) as person:
        await person.hydrate("/")
        for name in loads():
            with contextlib.suppress(TimeoutError):
                await person.ask(name)
        await person.settle(1.0)
        sent = json.dumps(person.received)
    own = [made["secret"].rsplit("_", 1)[-1]] if made else []
    forbidden = [*own, victim.secret.rsplit("_", 1)[-1], cookie.partition("=")[2], PASSWORD, "argon2"]
    assert [word for word in forbidden if word in sent] == []
    assert (victim.email in sent) == (role == "admin")
