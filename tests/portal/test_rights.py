"""Who may do what over the portal's socket, tried with a bare socket instead of a page."""

import json
import secrets
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any, get_type_hints

import httpx
import pytest
import socketio
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from reflex.state import StateUpdate
from reflex_base.registry import RegistrationContext
from sqlmodel import SQLModel

from aiservice.aiservice import app
from aiservice.errors import InvalidRequest
from aiservice.portal.session import guard
from aiservice.portal.session.gate import FRAMEWORK_HANDLERS, is_admitted
from aiservice.portal.session.guard import GUARD_ATTRIBUTE, SESSION_ENDED, Guard
from aiservice.portal.session.socket_pace import SESSION, SOCKET
from aiservice.portal.session.states import PageStates
from tests.harness.arguments import Chosen, arguments
from tests.portal.server import STATE, Attacker, PortalServer

pytestmark = pytest.mark.process
assert app is not None  # importing it registers every state and handler


def new_email() -> str:
    return f"{secrets.token_hex(6)}@example.test"


OF_A_TEST = ".tests___"  # in the name of a state that another test of this process has made


def handlers() -> dict[str, Any]:
    known = RegistrationContext.get().event_handlers.items()
    return {name: found.handler.fn for name, found in known if OF_A_TEST not in name}


def named(ending: str) -> str:
    """The full name of the handler that ends like this."""
    (name,) = [name for name in handlers() if name.endswith(ending)]
    return name


def test_t54_every_registered_handler_is_behind_the_guard_or_one_of_the_frameworks_few() -> None:
    unguarded = {name for name, fn in handlers().items() if not isinstance(getattr(fn, GUARD_ATTRIBUTE, None), Guard)}
    assert unguarded <= FRAMEWORK_HANDLERS
    assert not [name for name in handlers() if name.endswith((".setvar", "update_vars_internal"))]


def test_t54_public_handlers_are_those_that_change_nothing_of_anybody() -> None:
    public = {name for name, fn in handlers().items() if is_public(fn)}
    loads = ("sign_in_state", "forgot_state", "second_factor_state", "first_factor_state")
    assert public == {named("frame_state.dismiss"), *(named(f"{state}.load") for state in loads)}


def is_public(fn: Any) -> bool:
    guard = getattr(fn, GUARD_ATTRIBUTE, None)
    return isinstance(guard, Guard) and guard.is_public


async def test_t54_nobody_reaches_a_handler_without_signing_in(portal: PortalServer) -> None:
    async with Attacker(portal) as nobody:
        await nobody.hydrate()
        for name, fn in handlers().items():
            if name in FRAMEWORK_HANDLERS or is_public(fn):
                continue
            before = len(nobody.redirects())
            await nobody.client.emit("event", {"name": name, "payload": {}, "router_data": {}}, namespace="/_event")
            try:
                await nobody.until(lambda before=before: len(nobody.redirects()) > before)  # type: ignore[misc]
            except TimeoutError:
                pytest.fail(f"{name} sends nobody to sign in")
        assert "admin@example.test" not in json.dumps(nobody.received)


async def test_who_must_sign_in_first_comes_back_to_the_page_with_its_filters(portal: PortalServer) -> None:
    async with Attacker(portal) as nobody:
        router = {"pathname": "/requests", "asPath": "/requests?status=502&tz=UTC", "query": {}}
        event = {"name": named("requests_state.load"), "payload": {}, "router_data": router}
        await nobody.client.emit("event", event, namespace="/_event")
        await nobody.settle()
        assert nobody.redirects() == ["/sign-in?next=/requests%3Fstatus%3D502%26tz%3DUTC"]


async def test_the_sign_in_page_says_when_nobody_has_set_up_yet(portal: PortalServer) -> None:
    async with Attacker(portal) as nobody:
        await nobody.send(named("sign_in_state.load"), path="/sign-in")
        assert nobody.var("sign_in_state", "is_unclaimed") is False


async def test_t54_a_developer_is_refused_what_is_for_admins(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    async with Attacker(portal, cookie=cookie) as developer:
        await developer.hydrate("/users")
        await developer.send(named("users_state.load"), path="/users")
        assert developer.var("session_state", "notice") == "Only an admin may see people."
        assert developer.var("users_state", "rows") == []


async def test_t55_another_persons_token_leads_to_an_empty_state(portal: PortalServer) -> None:
    token, email = secrets.token_hex(8), new_email()
    async with Attacker(portal, token=token, cookie=portal.cookie_of(email, is_new=True)) as owner:
        await owner.hydrate()
        assert owner.var("session_state", "email") == email
    async with Attacker(portal, token=token) as thief:
        await thief.hydrate()
        assert thief.var("session_state", "is_signed_in") is False
        assert email not in json.dumps(thief.received)
    async with Attacker(portal, token=token, cookie=portal.cookie_of(new_email(), is_new=True)) as stranger:
        await stranger.hydrate()
        assert email not in json.dumps(stranger.received)


async def test_t55_a_token_set_before_signing_in_is_useless_after(portal: PortalServer) -> None:
    token, email = secrets.token_hex(8), new_email()
    async with Attacker(portal, token=token) as planter:
        await planter.hydrate()
        async with Attacker(portal, token=token, cookie=portal.cookie_of(email, is_new=True)) as victim:
            await victim.hydrate()
            await planter.send(named("keys_state.load"))
            assert email not in json.dumps(planter.received)


async def test_t55_a_session_that_ended_blanks_its_state_and_drops_its_socket(portal: PortalServer) -> None:
    email = new_email()
    cookie = portal.cookie_of(email, is_new=True)
    async with Attacker(portal, cookie=cookie) as tab:
        await tab.hydrate()
        await tab.settle(3.5)  # the round that sees the session valid
        httpx.post(f"{portal.url}/auth/sign-out", headers={"Cookie": cookie}, json={})
        tab.received.clear()
        await tab.send(named("keys_state.load"))
        assert tab.redirects()[0] in (
            "/sign-in?next=/keys&error=session_expired",
            SESSION_ENDED,
        )  # by the event, or by the next round
        assert email not in json.dumps(tab.received)
        await tab.until(lambda: not tab.client.connected)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://evil.127.0.0.1", "file://", ""],
)
async def test_t51_t56_a_socket_from_another_origin_is_refused(portal: PortalServer, origin: str) -> None:
    attacker = Attacker(portal, cookie=portal.cookie_of(), origin=origin)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await attacker.__aenter__()


async def test_t51_t56_the_port_is_part_of_the_origin(portal: PortalServer) -> None:
    for origin in (f"{portal.url}.evil.example", "http://127.0.0.1:1", f"{portal.url}1"):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Attacker(portal, origin=origin).__aenter__()


@pytest.mark.parametrize("host", ["portal.test:8000", "192.168.7.7", "[::1]:80", "broker.example"])
async def test_the_sockets_own_origin_is_accepted_on_any_host(portal: PortalServer, host: str) -> None:
    import aiohttp

    url = f"{portal.url}/_event/?token=t&EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, headers={"Host": host, "Origin": f"http://{host}"}) as socket:
            assert (await socket.receive_str()).startswith("0{")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url, headers={"Host": host, "Origin": "http://evil.example"})
        assert refused.value.status == 403


def test_t51_no_route_answers_a_foreign_origin_with_cors_headers(portal: PortalServer) -> None:
    for path in ("/", "/keys", "/auth/sign-in", "/v1/models", "/healthz", "/favicon.svg", "/_event/"):
        for method in ("GET", "OPTIONS", "POST"):
            headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            answer = httpx.request(method, portal.url + path, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control-")], (method, path)


@pytest.mark.parametrize("path", ["/_upload", "/_upload/x", "/_all_routes", "/auth-codespace", "/ping", "/_health"])
def test_t61_what_reflex_opens_besides_is_closed(portal: PortalServer, path: str) -> None:
    for method in ("GET", "POST"):
        assert httpx.request(method, portal.url + path).status_code == 404


async def test_t61_a_flood_of_events_from_one_socket_is_slowed_down_and_nobody_else(portal: PortalServer) -> None:
    flooder, other = (portal.cookie_of(new_email(), is_new=True) for _ in range(2))
    async with Attacker(portal, cookie=flooder, token="flood") as flood, Attacker(portal, cookie=other) as person:
        await flood.hydrate()
        await person.hydrate()
        event = {"name": named("keys_state.revoke"), "payload": {"key_id": 5}, "router_data": {"pathname": "/keys"}}
        already, began = len(flood.received), monotonic()
        for _ in range(300):
            await flood.client.emit("event", event, namespace="/_event")
        await person.send(named("keys_state.revoke"), {"key_id": 5})
        assert person.var("session_state", "notice_kind") == "error", "somebody else waited for the flood"
        await flood.until(lambda: len(flood.received) - already >= 2 * SOCKET.at_once)
        answered, seconds = len(flood.received) - already, monotonic() - began
    assert answered <= SOCKET.at_once + SOCKET.per_second * seconds + 2


async def test_t61_a_session_has_so_many_sockets_and_another_session_its_own(portal: PortalServer) -> None:
    flooder, other = (portal.cookie_of(new_email(), is_new=True) for _ in range(2))
    async with AsyncExitStack() as opened:
        for number in range(SESSION.sockets):
            await opened.enter_async_context(Attacker(portal, cookie=flooder, token=str(number)))
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Attacker(portal, cookie=flooder, token="more").connect()
        async with Attacker(portal, cookie=other) as person:
            await person.hydrate()
            assert person.var("session_state", "is_signed_in") is True
    async with Attacker(portal, cookie=flooder, token="again") as person:
        await person.hydrate()
        assert person.var("session_state", "is_signed_in") is True, "what is closed is not let go of"


async def test_that_a_tab_was_closed_while_its_page_was_made_is_not_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert app is not None
    assert app.event_namespace is not None
    await app.event_namespace.emit_update(StateUpdate(), "a page that has gone")
    assert caplog.records == []


async def test_t57_a_developer_cannot_touch_anothers_key_or_client(portal: PortalServer) -> None:
    owner = {"Cookie": portal.cookie_of(new_email(), is_new=True)}
    key = httpx.post(f"{portal.url}/auth/secrets/first-key", headers=owner, json={}).json()
    other = portal.cookie_of(new_email(), is_new=True)
    roll = {"id": key["id"], "overlap_seconds": "0"}
    answer = httpx.post(f"{portal.url}/auth/secrets/keys/roll", headers={"Cookie": other}, json=roll)
    assert answer.status_code == 404
    async with Attacker(portal, cookie=other) as attacker:
        await attacker.hydrate()
        for ending in ("keys_state.revoke", "keys_state.end_overlap"):
            await attacker.send(named(ending), {"key_id": key["id"]})
            assert attacker.var("session_state", "notice_kind") == "error"
        await attacker.send(named("keys_state.load"))
        assert attacker.var("keys_state", "rows") == []
    alive = httpx.get(f"{portal.url}/v1/models", headers={"Authorization": f"Bearer {key['secret']}"})
    assert alive.status_code == 200


async def test_t58_columns_in_a_form_change_nothing(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    extra = {"role": "admin", "owner_id": "usr_x", "is_disabled": "", "expires_us": "1", "client_id": "cli_x"}
    async with Attacker(portal, cookie=cookie) as attacker:
        await attacker.hydrate("/preferences")
        form = {"connection": "sandbox", "model": "", **extra}
        await attacker.send(named("preferences_state.add"), {"form": form}, path="/preferences")
        assert attacker.var("session_state", "notice_kind") == "error"
        assert attacker.var("preferences_state", "draft") == []
        await attacker.send(named("preferences_state.save"), extra, path="/preferences")
        assert attacker.var("session_state", "notice_kind") == "error"
    changed = {"email": new_email(), "role": "admin"}
    assert httpx.post(f"{portal.url}/auth/secrets/invite", headers={"Cookie": cookie}, json=changed).status_code == 403


def test_t58_no_form_of_any_handler_takes_a_column_that_it_does_not_name() -> None:
    """Mass assignment, by introspection: every form of every handler, with every column of every table besides."""
    columns = {column.name for table in SQLModel.metadata.tables.values() for column in table.columns}
    tried = 0
    for name, fn in handlers().items():
        if name in FRAMEWORK_HANDLERS:
            continue
        bind, payload = guard._binder(fn.__wrapped__), arguments(fn.__wrapped__, Chosen("x"), skipping=1)
        for parameter, form in payload.items():
            if not isinstance(form, dict) or hints_of(fn)[parameter] == dict[str, str]:
                continue
            for column in columns - set(form):
                with pytest.raises(InvalidRequest):
                    bind((), {**payload, parameter: {**form, column: "x"}})
                tried += 1
    assert tried > 500


def hints_of(fn: Any) -> dict[str, Any]:
    return get_type_hints(fn.__wrapped__)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(value=json_values)
@given_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_t59_arguments_of_the_wrong_type_become_a_plain_refusal(value: Any) -> None:
    for name, fn in handlers().items():
        if name in FRAMEWORK_HANDLERS:
            continue
        bind = guard._binder(fn.__wrapped__)
        parameters = [p for p in __import__("inspect").signature(fn.__wrapped__).parameters if p != "self"]
        for given_now in (dict.fromkeys(parameters, value), {"no_such_argument": value}):
            try:
                bound = bind((), given_now)
            except InvalidRequest:
                continue
            assert set(bound) == set(parameters) and all(type(v) is not bool or v is value for v in bound.values())


async def test_t59_a_wrong_argument_over_the_socket_writes_nothing(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=portal.cookie_of(new_email(), is_new=True)) as attacker:
        await attacker.hydrate("/preferences")
        for value in ({"$gt": 0}, [1], None, 1.5, "x" * 5000):
            await attacker.send(named("preferences_state.move"), {"index": value, "by": value}, path="/preferences")
            assert attacker.var("session_state", "notice_kind") == "error"
    assert "failed | Traceback" not in portal.log.read_text()


async def test_t60_no_variable_can_be_written_from_outside(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    admin = f"{STATE}.aiservice___portal___session___guard____session_state"
    async with Attacker(portal, cookie=cookie) as attacker:
        await attacker.hydrate("/users")
        hostile = {f"{admin}.is_admin": True, f"{admin}.is_admin_rx_state_": True, f"{admin}._bound_session": "x"}
        await attacker.send(f"{STATE}.hydrate_and_load", {"vars": hostile}, path="/users")
        internal = f"{STATE}.reflex___state____update_vars_internal_state.update_vars_internal"
        await attacker.send(internal, {"vars": hostile}, path="/users")
        for state in (admin, STATE):
            await attacker.send(f"{state}.setvar", {"var_name": "is_admin", "value": True}, path="/users")
        assert attacker.var("session_state", "is_admin") is False
        await attacker.send(named("users_state.load"), path="/users")
        assert attacker.var("users_state", "rows") == []


def test_t60_no_state_keeps_anything_in_the_browser() -> None:
    states = RegistrationContext.get().base_states.values()
    kept = [
        f"{state.__name__}.{name}" for state in states for name in state.base_vars if state._is_client_storage(name)
    ]
    assert kept == []


def test_an_event_that_is_not_registered_is_not_admitted() -> None:
    assert not is_admitted(f"{STATE}.setvar")
    assert not is_admitted("no.such.handler")


def test_t28_nothing_of_the_portals_state_is_written_to_disk(portal: PortalServer) -> None:
    from tests.harness.process import ROOT

    assert not (ROOT / ".states").exists()
    assert type(app.state_manager) is PageStates  # memory, and sealed copies where there is a Redis


async def test_t27_no_delta_of_any_page_holds_a_secret(portal: PortalServer) -> None:
    cookie = portal.cookie_of()
    made = httpx.post(
        f"{portal.url}/auth/secrets/keys",
        headers={"Cookie": cookie},
        json={"client": client_of(portal, cookie), "name": "k", "expires_in_days": "", "is_test": ""},
    ).json()
    secret = made["secret"].rsplit("_", 1)[-1]
    async with Attacker(portal, cookie=cookie) as admin:
        pages = ("first_call", "overview", "requests", "usage", "keys", "providers", "users")
        for page in pages:
            await admin.send(named(f"{page}_state.load"))
        known = json.dumps(admin.received)
    assert made["id"] in known
    assert secret not in known
    assert cookie.partition("=")[2] not in known
    assert secret not in portal.log.read_text()


def client_of(portal: PortalServer, cookie: str) -> str:
    """The admin's own client, made by asking for its first key."""
    answer = httpx.post(f"{portal.url}/auth/secrets/first-key", headers={"Cookie": cookie}, json={}).json()
    return str(answer.get("client", "admin"))
