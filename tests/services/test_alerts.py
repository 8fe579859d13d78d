"""Alerts as people see them: whose they are, what acknowledging, muting and resolving do."""

import pytest

from aiservice.errors import BrokerError
from aiservice.kit.clock import now_us
from aiservice.principal import OPERATOR
from aiservice.services.alerts import Alerts
from aiservice.services.usage import Usage
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store import alerts as store
from aiservice.store.session import Database
from aiservice.tables import AlertDelivery
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from tests.services.key_rig import STRANGER
from tests.services.receivers import receiver
from tests.services.usage_rows import DEVELOPER


@pytest.fixture
async def alerts(db: Database, settings: Settings) -> Alerts:
    vault = Vault(db, settings)
    await vault.open()
    made = Alerts(db, vault, Usage(db), Upstream(SocketTransport()), settings, worker="wrk_1")
    made.note("budget_level", "key_own", "All of it is spent.", client_id="cli_own")
    made.note("provider_down", "eu", "It does not answer.")
    await made.flush()
    return made


async def id_of(alerts: Alerts, kind: str) -> str:
    return next(view.id for view in await alerts.list(OPERATOR) if view.kind == kind)


async def refused(work: object) -> str:
    with pytest.raises(BrokerError) as raised:
        await work  # type: ignore[misc]
    return raised.value.code


async def test_a_developer_sees_those_of_their_own_clients(alerts: Alerts) -> None:
    assert [view.kind for view in await alerts.list(DEVELOPER)] == ["budget_level"]
    assert (await alerts.count(OPERATOR), await alerts.count(DEVELOPER), await alerts.count(STRANGER)) == (2, 1, 0)


async def test_a_developer_cannot_touch_what_is_not_theirs(alerts: Alerts) -> None:
    down = await id_of(alerts, "provider_down")
    for work in (
        alerts.acknowledge(DEVELOPER, down),
        alerts.resolve(DEVELOPER, down),
        alerts.mute(DEVELOPER, down, 60),
        alerts.mute(DEVELOPER, "kind:budget_level", 60),
        alerts.acknowledge(STRANGER, await id_of(alerts, "budget_level")),
    ):
        assert await refused(work) == "alert_not_found"
    for hidden in (alerts.deliveries(DEVELOPER), alerts.mutes(DEVELOPER), alerts.test(DEVELOPER, "x")):
        assert await refused(hidden) == "admin_only"


async def test_acknowledged_and_resolved_say_by_whom(alerts: Alerts) -> None:
    budget = await id_of(alerts, "budget_level")
    await alerts.acknowledge(DEVELOPER, budget)
    await alerts.acknowledge(OPERATOR, budget)
    [view] = await alerts.list(DEVELOPER, "acknowledged")
    assert view.acknowledged_by == DEVELOPER.email
    await alerts.resolve(DEVELOPER, budget)
    [view] = await alerts.list(DEVELOPER, "resolved")
    assert (view.resolved_by, await alerts.count(DEVELOPER)) == (DEVELOPER.email, 0)
    alerts.note("budget_level", "key_own", "Again.", client_id="cli_own")
    await alerts.flush()
    assert await alerts.count(DEVELOPER) == 1


@pytest.mark.parametrize("target", ["", "kind:provider_down", "A provider does not answer"])
async def test_what_is_muted_is_told_once_the_mute_ends(alerts: Alerts, target: str) -> None:
    async with receiver() as hook:
        await alerts.rules.ensure_builtin()
        await alerts.channels.add_webhook(OPERATOR, "hook", hook.url, is_private_allowed=True)
        await alerts.resolve(OPERATOR, await id_of(alerts, "budget_level"))
        down = await id_of(alerts, "provider_down")
        stored = await alerts.mute(OPERATOR, target or down, 3600)
        await alerts.post.look()
        await alerts.post.settle()
        assert hook.received == []
        assert (await alerts.list(OPERATOR, "open"))[0].muted_until_us is not None
        assert stored in await alerts.mutes(OPERATOR)
        await alerts.mute(OPERATOR, target or down, 0)
        await alerts.post.look()
        await alerts.post.settle()
        assert len(hook.received) == 1
    await alerts.close()


async def test_a_message_that_failed_is_sent_again_and_one_that_arrived_is_not(alerts: Alerts, db: Database) -> None:
    def message(name: str, state: str) -> AlertDelivery:
        return AlertDelivery(
            id=name, channel_id="ach_1", event="alert.opened", body="{}", state=state, attempts=10, created_us=1
        )

    async with db.write() as session:
        session.add_all([message("failed", "failed"), message("arrived", "delivered")])
    await alerts.send_again(OPERATOR, "failed")
    [again] = [view for view in await alerts.deliveries(OPERATOR) if view.id == "failed"]
    assert (again.state, again.next_us is not None) == ("waiting", True)
    assert await refused(alerts.send_again(OPERATOR, "arrived")) == "already_delivered"
    assert await refused(alerts.send_again(OPERATOR, "none")) == "message_not_found"
    assert await refused(alerts.send_again(DEVELOPER, "failed")) == "admin_only"


async def test_a_rule_may_name_its_channels_or_be_off(alerts: Alerts) -> None:
    async with receiver() as one, receiver() as other:
        for name, to in (("one", one), ("other", other)):
            await alerts.channels.add_webhook(OPERATOR, name, to.url, is_private_allowed=True)
        rules = {rule.metric: rule for rule in await alerts.rules.list(OPERATOR)}
        from dataclasses import replace

        named = replace(rules["provider_down"], channels=("other",))
        await alerts.rules.set(OPERATOR, named.id, named)
        await alerts.rules.switch(OPERATOR, rules["budget_level"].id, is_on=False)
        await alerts.post.look()
        await alerts.post.settle()
        assert (len(one.received), len(other.received)) == (0, 1)
    await alerts.close()


async def test_old_ones_are_deleted(alerts: Alerts, db: Database) -> None:
    await alerts.resolve(OPERATOR, await id_of(alerts, "budget_level"))
    async with db.write() as session:
        await store.delete_before(session, now_us() + 1)
    assert [view.kind for view in await alerts.list(OPERATOR)] == ["provider_down"]
