"""Decoy keys: refused like unknown ones, and an alarm with the address on every use."""

from functools import partial

from sqlmodel import select

from aiservice.services.abuse_observing import Observer
from aiservice.services.alert_notes import AlertNotes
from aiservice.services.decoys import Decoys
from aiservice.services.opening import _key_refused
from aiservice.tables import AlertEvent
from tests.services.key_rig import ADMIN, Rig


async def test_a_decoy_is_refused_like_an_unknown_key_and_raises_an_alarm(rig: Rig) -> None:
    alerts = AlertNotes(rig.db)
    decoys, observer = Decoys(rig.db, alerts), Observer(rig.db, "wrk_1")
    rig.keys.check.tell_refused = partial(_key_refused, observer, decoys)
    made = await rig.keys.create(ADMIN, "acme", "backup of keys", is_decoy=True)
    assert await rig.refusal(made, "198.51.100.9") == "invalid_api_key"
    await decoys.close()
    await alerts.flush()
    async with rig.db.read() as session:
        alert = (await session.scalars(select(AlertEvent))).one()
    assert (alert.kind, alert.subject, alert.severity) == ("decoy_used", made.id, 3)
    assert alert.evidence["address"] == "198.51.100.9"
    assert made.key.reveal_text() not in alert.words


async def test_a_wrong_secret_of_a_decoy_is_no_use_of_it(rig: Rig) -> None:
    told: list[str] = []
    rig.keys.check.tell_refused = lambda row, refusal, address: told.append(refusal.name)
    made = await rig.keys.create(ADMIN, "acme", "k", is_decoy=True)
    other = await rig.keys.create(ADMIN, "acme", "k2")
    assert await rig.refusal(made) == "invalid_api_key"
    await rig.verify(other)
    assert told == ["DECOY"]


async def test_a_decoy_counts_as_a_failure_of_its_address(rig: Rig) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k", is_decoy=True)
    for _ in range(2):
        await rig.refusal(made, "198.51.100.10")
    assert rig.keys.failures.wait_seconds("198.51.100.10") == 0.0
    assert len(rig.keys.failures._failures["198.51.100.10"]) == 1  # the second was answered from memory
