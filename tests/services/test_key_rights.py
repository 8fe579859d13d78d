"""T-10: a key is never worth more than its client, nor more than whoever made it, whatever changes later."""

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from aiservice.errors import BrokerError, NotFound, PermissionDenied, Unprocessable
from aiservice.kit.addresses import network_of
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.clients import Clients
from aiservice.services.keys import NewKey
from aiservice.store.session import Database
from tests.services.key_rig import ADDRESS, DEVELOPER, STRANGER, Rig

BOSS = Person("usr_9", "boss@example.com", Role.ADMIN)
_SCOPES = ["chat", "read", "embedding", "translation"]
_MODELS = ["a", "b", "c"]
_NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32", "2001:db8:1::/48"]


def some(names: list[str]) -> "st.SearchStrategy[list[str] | None]":
    return st.none() | st.lists(st.sampled_from(names), min_size=1, unique=True)


RIGHTS = st.fixed_dictionaries(
    {}, optional={"scopes": some(_SCOPES), "models": some(_MODELS), "networks": some(_NETWORKS)}
)
BOUNDS = st.fixed_dictionaries({"scopes": some(_SCOPES), "models": some(_MODELS), "networks": some(_NETWORKS)})


def is_wider(asked: dict[str, Any], bounds: dict[str, Any]) -> bool:
    """The rule by hand: something asked for that the client does not have."""
    for name in ("scopes", "models"):
        if asked.get(name) is not None and bounds[name] is not None and not set(asked[name]) <= set(bounds[name]):
            return True
    if asked.get("networks") is None or bounds["networks"] is None:
        return False
    allowed = [network_of(one) for one in bounds["networks"]]
    wanted = [network_of(one) for one in asked["networks"]]
    return not all(any(w.version == a.version and w.subnet_of(a) for a in allowed) for w in wanted)  # type: ignore[arg-type]


@pytest.fixture
async def clients(rig: Rig) -> Clients:
    return Clients(rig.db, rig.changes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bounds=BOUNDS, asked=RIGHTS, edit=RIGHTS)
async def test_t10_nothing_wider_than_the_client_is_made_or_edited_and_nothing_wider_is_verified(
    rig: Rig, clients: Clients, bounds: Any, asked: Any, edit: Any
) -> None:
    await clients.update(OPERATOR, "acme", scopes=None, models=None, networks=None)
    await clients.update(OPERATOR, "acme", **bounds)
    if is_wider(asked, bounds):
        with pytest.raises(PermissionDenied, match="may not use"):
            await rig.keys.create(DEVELOPER, "acme", "k", **asked)
        return
    made = await rig.keys.create(DEVELOPER, "acme", "k", **asked)
    if is_wider(edit, bounds):
        with pytest.raises(PermissionDenied, match="may not use"):
            await rig.keys.update(DEVELOPER, made.id, **edit)
    else:
        await rig.keys.update(DEVELOPER, made.id, **edit)
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    for name in ("scopes", "models"):
        got = getattr(principal, name)
        assert bounds[name] is None or (got is not None and got <= set(bounds[name]))
    for place in ("10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8:1::1", "2001:db8:2::1"):
        is_held = principal.networks is None or principal.networks.holds(place)
        is_bound = bounds["networks"] is None or any(
            network_of(place).subnet_of(network_of(one))  # type: ignore[arg-type]
            for one in bounds["networks"]
            if network_of(place).version == network_of(one).version
        )
        assert is_bound or not is_held


async def test_t10_children_shrink_with_their_client_and_a_roll_keeps_nothing_that_it_has_lost(
    rig: Rig, clients: Clients
) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k", scopes=["chat", "read"], networks=["10.0.0.0/8"])
    await clients.update(OPERATOR, "acme", scopes=["read", "embedding"], networks=["10.1.0.0/16"])
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert principal.scopes == frozenset({"read"})
    assert principal.networks is not None
    assert [principal.networks.holds(place) for place in ("10.1.0.1", "10.2.0.1")] == [True, False]
    await rig.keys.roll(DEVELOPER, made.id)
    (shown,) = await rig.keys.list(DEVELOPER)
    assert (shown.scopes, shown.networks) == (("read",), ("10.1.0.0/16",))


async def _boss(rig: Rig) -> NewKey:
    """A key that an admin made for a client of somebody else."""
    async with rig.db.write() as session:
        await session.execute(
            text(
                "INSERT INTO person (id, email, password_hash, role, is_disabled, created_us) "
                "VALUES ('usr_9', 'boss@example.com', 'x', 'admin', false, 1)"
            )
        )
    return await rig.keys.create(BOSS, "acme", "for them")


@pytest.mark.parametrize("change", ["role = 'developer'", "is_disabled = true"])
async def test_t10_a_demoted_makers_keys_for_others_clients_stop_until_somebody_takes_them_over(
    rig: Rig, database: Database, change: str
) -> None:
    made = await _boss(rig)
    assert await rig.verify(made) == made.id
    async with database.write() as session:
        await session.execute(text(f"UPDATE person SET {change} WHERE id = 'usr_9'"))
        rig.changes.publish(session, "person", "usr_9")
    await rig.changes.poll_once()
    assert rig.keys.cached(made.key.reveal()) is None
    assert await rig.refusal(made) == "creator_lost_rights"
    assert [key.state for key in await rig.keys.list(DEVELOPER)] == ["stopped"]
    with pytest.raises(NotFound):
        await rig.keys.roll(dataclasses.replace(BOSS, role=Role.DEVELOPER), made.id)
    rolled = await rig.keys.roll(DEVELOPER, made.id)
    assert await rig.verify(rolled) == made.id
    assert [key.state for key in await rig.keys.list(DEVELOPER)] == ["rolling"]


async def test_a_makers_own_clients_keys_and_those_of_the_command_line_rest_on_no_role(
    rig: Rig, database: Database
) -> None:
    made = [await rig.keys.create(actor, "acme", "k") for actor in (DEVELOPER, OPERATOR)]
    async with database.write() as session:
        await session.execute(text("DELETE FROM person WHERE id = 'usr_9'"))
    assert [await rig.verify(one) for one in made] == [one.id for one in made]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ({"networks": ["10.0.0.1/8"]}, "invalid_network"),
        ({"networks": []}, "invalid_value"),
        ({"networks": [f"10.0.0.{n}" for n in range(51)]}, "invalid_value"),
        ({"scopes": ["root"]}, "invalid_value"),
        ({"connections": ["no-such"]}, "connection_not_found"),
        ({"name": ""}, "invalid_value"),
        ({"expires_in_seconds": 0}, "invalid_value"),
    ],
)
async def test_an_edit_that_makes_no_sense_changes_nothing(rig: Rig, edit: dict[str, Any], code: str) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    (before,) = await rig.keys.list(DEVELOPER)
    with pytest.raises(Unprocessable) as raised:
        await rig.keys.update(DEVELOPER, made.id, **edit)
    assert raised.value.code == code
    assert await rig.keys.list(DEVELOPER) == [before]


async def test_an_edit_is_for_the_keys_own_people_and_changes_what_it_names_alone(rig: Rig) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k", scopes=["chat"], networks=["192.0.2.1"])
    with pytest.raises(NotFound):
        await rig.keys.update(STRANGER, made.id, scopes=None)
    shown = await rig.keys.update(DEVELOPER, made.id, networks=["::ffff:192.0.2.0/120"], expires_in_seconds=60)
    assert (shown.scopes, shown.networks, shown.name) == (("chat",), ("192.0.2.0/24",), "k")
    assert shown.expires_us is not None
    lifted = await rig.keys.update(DEVELOPER, made.id, networks=None, expires_in_seconds=None)
    assert (lifted.networks, lifted.expires_us) == (None, None)
    await rig.keys.revoke(DEVELOPER, made.id)
    with pytest.raises(BrokerError, match="revoked"):
        await rig.keys.update(DEVELOPER, made.id, scopes=None)


async def test_only_admins_bound_clients(rig: Rig, clients: Clients) -> None:
    for actor in (DEVELOPER, STRANGER):
        with pytest.raises(PermissionDenied):
            await clients.update(actor, "acme", networks=None)
    assert (await clients.update(OPERATOR, "acme", networks=["10.0.0.0/8"])).networks == ("10.0.0.0/8",)
