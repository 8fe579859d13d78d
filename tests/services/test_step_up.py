"""T-68: what a thief of a session would want asks for the password again, in the same session, within five minutes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select, text

from aiservice.errors import PermissionDenied
from aiservice.kit.clock import now_us
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.budget_terms import Terms
from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.services.step_up import CONFIRMED_US
from aiservice.settings import Settings
from aiservice.tables import AuditEntry
from tests.services.people import BROWSER

PASSWORD = "correct horse battery"
MONTH = Terms("money", "month", 10**9, False, (), ())


@dataclass
class Scene:
    """An admin in a browser, a key and a connection."""

    core: Core
    admin: Person
    key_id: str

    async def said(self, seconds_ago: float | None, column: str = "created_us") -> None:
        """When the password was said in this session: to sign in, or again (`confirmed_us`)."""
        at = "NULL" if seconds_ago is None else str(now_us() - int(seconds_ago * 1e6))
        async with self.core.db.write() as session:
            await session.execute(text(f"UPDATE portal_session SET {column} = {at}"))

    async def entries(self) -> int:
        async with self.core.db.read() as session:
            return (await session.execute(select(func.count()).select_from(AuditEntry))).scalar_one()


Act = Callable[[Scene, Person], Awaitable[object]]
ACTS: dict[str, Act] = {
    "roll": lambda s, who: s.core.keys.roll(who, s.key_id),
    "new provider": lambda s, who: s.core.connections.add(
        who, "openai-compatible", "more", "http://127.0.0.1:7/v1", Secret("sk-c"), is_private_allowed=True, models=["m"]
    ),
    "provider key": lambda s, who: s.core.connections.set_key(who, "up", Secret("sk-b")),
    "provider address": lambda s, who: s.core.connections.set_address(
        who, "up", "http://127.0.0.1:9/v1", Secret("sk-b"), is_private_allowed=True
    ),
    "budget": lambda s, who: s.core.budgets.set(who, "client", "acme", MONTH),
    "clear budget": lambda s, who: s.core.budgets.clear(who, "key", s.key_id),
    "keep bodies": lambda s, who: s.core.payloads.switch(who, "acme", is_on=True),
    "role": lambda s, who: s.core.accounts.set_role(who, "bob@example.com", Role.ADMIN),
    "invite": lambda s, who: s.core.accounts.invite(who, "new@example.com", Role.ADMIN),
    "whose factors": lambda s, who: s.core.accounts.factors.set_rule(who, "admins"),
    "reset factors": lambda s, who: s.core.accounts.factors.reset(who, "bob@example.com"),
    "reset link": lambda s, who: s.core.accounts.reset_link(who, "bob@example.com"),
}


@pytest.fixture
async def scene(installed: Settings) -> AsyncIterator[Scene]:
    async with open_core(installed) as core:
        await core.clients.create(OPERATOR, "acme")
        key = await core.keys.create(OPERATOR, "acme", "k")
        await core.budgets.set(OPERATOR, "key", key.id, MONTH)
        address = "http://127.0.0.1:8/v1"
        await core.connections.add(
            OPERATOR, "openai-compatible", "up", address, Secret("sk-a"), is_private_allowed=True, models=["m"]
        )
        for email in ("ada@example.com", "bob@example.com"):
            role = Role.ADMIN if email.startswith("ada") else Role.DEVELOPER
            await core.accounts.create_user(OPERATOR, email, PASSWORD, role)
        signed_in = await core.accounts.sign_in("ada@example.com", PASSWORD, BROWSER)
        yield Scene(core, signed_in.person, key.id)


async def test_t68_every_sensitive_act_is_refused_without_effect_once_the_password_is_five_minutes_old(
    scene: Scene,
) -> None:
    await scene.said(CONFIRMED_US / 1e6 + 1)
    before = await scene.entries()
    for name, act in ACTS.items():
        with pytest.raises(PermissionDenied) as raised:
            await act(scene, scene.admin)
        assert (raised.value.code, raised.value.param) == ("step_up_required", "password"), name
    assert await scene.entries() == before


async def test_t68_a_password_said_again_lets_all_of_them_pass_and_so_does_a_sign_in_just_now(scene: Scene) -> None:
    await scene.said(CONFIRMED_US / 1e6 + 1)
    await scene.core.accounts.confirm(scene.admin, PASSWORD)
    before = await scene.entries()
    for act in ACTS.values():
        await act(scene, scene.admin)
    assert await scene.entries() == before + len(ACTS)
    await scene.said(None, "confirmed_us")
    await scene.said(1)
    await ACTS["budget"](scene, scene.admin)


async def test_t68_another_session_of_the_same_person_proves_nothing(scene: Scene) -> None:
    await scene.said(CONFIRMED_US / 1e6 + 1)
    await scene.core.accounts.sign_in("ada@example.com", PASSWORD, BROWSER)
    with pytest.raises(PermissionDenied, match="password again"):
        await ACTS["roll"](scene, scene.admin)


async def test_the_command_line_is_asked_for_no_password(scene: Scene) -> None:
    for act in ACTS.values():
        await act(scene, OPERATOR)
