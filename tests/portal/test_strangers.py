"""T-57, T-54, T-27 by introspection: every handler and route there is, with every id of another person put in every
argument that takes text. What is added to the portal later is tried too, without a line here."""

import inspect
import itertools
import json
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from reflex_base.registry import RegistrationContext

from aiservice.aiservice import app
from aiservice.portal.session.gate import FRAMEWORK_HANDLERS
from aiservice.portal.session.reveal import ACTIONS, PREFIX
from tests.portal.server import PASSWORD, Attacker, PortalServer

pytestmark = pytest.mark.process
assert app is not None  # importing it registers every state and handler

# Moves with time or with the attacker's own doings, and holds nothing of the victim's that could be changed.
_OWN_TABLES = {"portal_session", "sign_in_attempt", "worker", "lease", "rollup_dirty", "abuse_minute"}


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


def everything(portal: PortalServer) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that only its owner's or an admin's doings may change."""
    tables = [name for (name,) in read(portal, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = [name for name in tables if name not in _OWN_TABLES and not name.startswith(("sqlite_", "usage_"))]
    return {name: sorted(read(portal, f'SELECT {_columns(portal, name)} FROM "{name}"'), key=repr) for name in kept}


def _columns(portal: PortalServer, table: str) -> str:
    """All but when something was last used, which a job writes down some time after it was."""
    names = [row[1] for row in read(portal, f'PRAGMA table_info("{table}")')]
    return ", ".join(f'"{name}"' for name in names if name != "last_used_us")


def guarded() -> dict[str, Any]:
    found = {name: item.handler.fn for name, item in RegistrationContext.get().event_handlers.items()}
    return {name: fn.__wrapped__ for name, fn in found.items() if name not in FRAMEWORK_HANDLERS}


def payloads(function: Any, ids: list[str]) -> Iterator[dict[str, Any]]:
    """One call for every id: it stands in every text that the handler takes, those inside a form included."""
    hints = inspect.get_annotations(function, eval_str=True)
    for name in ids:
        payload = {
            parameter: _filled(hints[parameter], name)
            for parameter in inspect.signature(function).parameters
            if parameter != "self"
        }
        yield payload
        if name not in json.dumps(payload):
            return  # takes no text: once is enough


def _filled(hint: Any, name: str) -> Any:
    if hint is str:
        return name
    if hint is bool:
        return True
    if hint is int:
        return 1
    fields = inspect.get_annotations(hint, eval_str=True)
    return {field: _filled(kind, name) for field, kind in fields.items() if not field.startswith("_")}


def loads() -> list[str]:
    return [name for name in guarded() if name.endswith(".load")]


async def test_t57_no_handler_gives_or_changes_anything_of_another_person(portal: PortalServer) -> None:
    victim = Victim(portal)
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    httpx.post(f"{portal.url}{PREFIX}/first-key", headers={"Cookie": cookie}, json={})
    async with Attacker(portal, cookie=cookie) as attacker:
        await attacker.hydrate("/keys")
        for name in loads():
            await attacker.send(name)
        before, calls = everything(portal), 0
        for name, function in guarded().items():
            for payload in payloads(function, victim.ids()):
                event = {"name": name, "payload": payload, "router_data": {"pathname": "/keys", "asPath": "/keys"}}
                await attacker.client.emit("event", event, namespace="/_event")
                calls += 1
            await attacker.settle(0.1)
        known = json.dumps(attacker.received)
    assert calls > len(guarded()), "no handler took a text: the introspection is blind"
    after = everything(portal)
    changed = [name for name in before if before[name] != after[name]]
    assert changed == []
    assert not [word for word in victim.secrets_and_names() if word in known]


def test_t57_no_route_for_secrets_gives_or_changes_anything_of_another_person(portal: PortalServer) -> None:
    victim = Victim(portal)
    cookie = {"Cookie": portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)}
    httpx.post(f"{portal.url}{PREFIX}/first-key", headers=cookie, json={})
    before = everything(portal)
    for (path, (_, act)), name in itertools.product(ACTIONS.items(), victim.ids()):
        names = set(re.findall(r'fields\.(?:required|optional)\("(\w+)"', inspect.getsource(act)))
        plain = {"overlap_seconds": "0", "role": "developer", "is_test": "", "expires_in_days": "", "password": ""}
        plain |= {"scopes": "", "allow_ip": ""}
        body = {field: plain.get(field, name) for field in names}
        answer = httpx.post(portal.url + PREFIX + path, headers=cookie, json=body)
        if path == "/first-key":
            assert answer.json() == {}
            continue
        assert answer.status_code in (400, 403, 404), (path, name, answer.text)
        assert not [word for word in victim.secrets_and_names() if word in answer.text]
    assert everything(portal) == before


@pytest.mark.parametrize("role", ["admin", pytest.param("developer", marks=pytest.mark.long)])
async def test_t27_no_page_loaded_by_any_role_is_sent_a_secret(portal: PortalServer, role: str) -> None:
    victim = Victim(portal)
    cookie = portal.cookie_of() if role == "admin" else portal.cookie_of(f"{secrets.token_hex(6)}@e.test", is_new=True)
    made = httpx.post(f"{portal.url}{PREFIX}/first-key", headers={"Cookie": cookie}, json={}).json()
    async with Attacker(portal, cookie=cookie) as person:
        await person.hydrate("/")
        for name in loads():
            await person.send(name)
        sent = json.dumps(person.received)
    own = [made["secret"].rsplit("_", 1)[-1]] if made else []
    forbidden = [*own, victim.secret.rsplit("_", 1)[-1], cookie.partition("=")[2], PASSWORD, "argon2"]
    assert [word for word in forbidden if word in sent] == []
    assert (victim.email in sent) == (role == "admin")
