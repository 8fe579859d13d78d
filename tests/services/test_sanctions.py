"""What is done about clients: it reaches the principal, ends by itself, and one click undoes it."""

import pytest

from aiservice.errors import BrokerError
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.principal import Limit
from aiservice.services.abuse_features import Evidence, Level
from aiservice.services.sanction_terms import check_blocked
from aiservice.services.sanctions import Finding, Sanctions
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, STRANGER, Rig

EVIDENCE = (Evidence("requests", "volume", "minute", 900.0, 40.0, 8.0),)


@pytest.fixture
def sanctions(rig: Rig) -> Sanctions:
    return Sanctions(rig.db, rig.changes)


def finding(level: Level, seconds: float = 600) -> Finding:
    return Finding("cli_1", level, "automatic", 12.0, EVIDENCE, now_us() + int(seconds * SECOND_US), 48)


async def test_a_throttle_becomes_a_limit_of_every_key_of_the_client(rig: Rig, sanctions: Sanctions) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).sanction is None
    verdict = await sanctions.impose(finding(Level.THROTTLE))
    await rig.changes.poll_once()
    assert rig.keys.cached(made.key.reveal()) is None
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert verdict is not None
    assert principal.limits == (Limit("sanction", verdict.id, "requests/minute", "requests", 60, 48),)
    assert principal.expires_us is None  # the key itself does not end with it


async def test_quarantine_leaves_a_few_requests_one_at_a_time(rig: Rig, sanctions: Sanctions) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await sanctions.impose(finding(Level.QUARANTINE))
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert {limit.name: limit.amount for limit in principal.limits} == {"requests/minute": 6, "concurrency": 1}


async def test_a_block_says_until_when(rig: Rig, sanctions: Sanctions) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await sanctions.impose(finding(Level.BLOCK))
    sanction = (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).sanction
    assert sanction is not None
    with pytest.raises(BrokerError) as raised:
        check_blocked(sanction)
    error = raised.value
    assert (error.status, error.code) == (403, "blocked_for_abuse")
    assert "until 20" in error.message
    assert 590 <= (error.retry_after or 0) <= 600


async def test_it_ends_by_itself(rig: Rig, sanctions: Sanctions) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await sanctions.impose(finding(Level.BLOCK, seconds=-1))
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).sanction is None


async def test_an_alert_hinders_nobody(rig: Rig, sanctions: Sanctions) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await sanctions.impose(finding(Level.ALERT))
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).sanction is None
    assert [each.level for each in await sanctions.list(DEVELOPER)] == ["alert"]


async def test_undone_it_is_gone_everywhere(rig: Rig, sanctions: Sanctions) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    verdict = await sanctions.impose(finding(Level.BLOCK))
    assert verdict is not None
    undone = await sanctions.undo(ADMIN, verdict.id)
    await rig.changes.poll_once()
    assert undone.undone_by == ADMIN.email
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).sanction is None
    assert await sanctions.list(ADMIN, live_only=True) == []


async def test_an_extension_moves_the_end_and_never_back(rig: Rig, sanctions: Sanctions) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    verdict = await sanctions.impose(finding(Level.BLOCK))
    assert verdict is not None
    later = verdict.until_us + SECOND_US
    await sanctions.extend(verdict.id, later)
    await sanctions.extend(verdict.id, verdict.until_us)
    sanction = (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).sanction
    assert sanction is not None
    assert sanction.until_us == later


async def test_developers_see_their_own_and_undo_nothing(sanctions: Sanctions) -> None:
    verdict = await sanctions.impose(finding(Level.BLOCK))
    assert verdict is not None
    assert [each.id for each in await sanctions.list(DEVELOPER)] == [verdict.id]
    assert await sanctions.list(STRANGER) == []
    with pytest.raises(BrokerError) as raised:
        await sanctions.undo(DEVELOPER, verdict.id)
    assert raised.value.code == "admin_only"


async def test_a_client_has_the_default_policy_until_it_has_its_own(rig: Rig, sanctions: Sanctions) -> None:
    assert (await sanctions.all_policies())[0].name == "alert_only"
    await sanctions.set_policy(ADMIN, None, "throttle", {"requests/minute": (600, "throttle")})
    await sanctions.set_policy(ADMIN, "acme", "automatic", {"cost/hour": (10**10, "block")})
    default, own = await sanctions.all_policies()
    assert (default.name, own["cli_1"].name) == ("throttle", "automatic")
    assert set(own["cli_1"].ceilings) == {"requests/minute", "cost/hour"}
    await sanctions.set_policy(ADMIN, "acme", None)
    assert (await sanctions.all_policies())[1]["cli_1"].name == "throttle"


@pytest.mark.parametrize(
    ("policy", "ceilings", "code"),
    [
        ("harsh", {}, "unknown_policy"),
        ("throttle", {"requests/second": (1, "block")}, "unknown_ceiling"),
        ("throttle", {"requests/minute": (-1, "block")}, "invalid_ceiling"),
        ("throttle", {"requests/minute": (1, "shout")}, "invalid_ceiling"),
    ],
)
async def test_what_is_no_policy_is_refused(
    sanctions: Sanctions, policy: str, ceilings: dict[str, tuple[int, str]], code: str
) -> None:
    with pytest.raises(BrokerError) as raised:
        await sanctions.set_policy(ADMIN, None, policy, ceilings)
    assert raised.value.code == code
