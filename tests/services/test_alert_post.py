"""Messages to channels: on schedule, under one id, by one worker, until they are taken."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import orjson
import pytest
from sqlalchemy import select

from aiservice.kit.clock import MINUTE_US, SECOND_US
from aiservice.kit.secret import Secret
from aiservice.kit.webhooks import verify
from aiservice.principal import OPERATOR
from aiservice.services.alert_channels import AlertChannels
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.alert_post import CLAIM_US, SCHEDULE_US, AlertPost
from aiservice.services.alert_sending import Sending
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import AlertChannel, AlertDelivery
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from tests.harness.waiting import until
from tests.services.receivers import Receiver, receiver

NOW_US = 1_795_000_000_000_000


@dataclass
class Office:
    """The alerts of one or more workers on one database, under a clock that the test moves."""

    db: Database
    channels: AlertChannels
    upstream: Upstream
    now_us: int = NOW_US
    posts: list[AlertPost] = field(default_factory=list)

    def worker(self) -> AlertPost:
        sending = Sending(self.db, self.channels, self.upstream, None)
        notes = AlertNotes(self.db)
        self.posts.append(AlertPost(self.db, notes, sending, clock=lambda: self.now_us, chance=lambda: 0.0))
        return self.posts[-1]

    async def note(self, subject: str = "key_1", *, is_over: bool = False) -> None:
        notes = AlertNotes(self.db)
        if is_over:
            notes.over("budget", subject)
        else:
            notes.note("budget", subject, "All of it is spent.", severity=Severity.CRITICAL, evidence={"spent": 3})
        await notes.flush()

    async def webhook(self, to: Receiver, name: str = "hook") -> Secret:
        _, secret = await self.channels.add_webhook(OPERATOR, name, to.url, is_private_allowed=True)
        return secret

    async def turn(self, post: AlertPost) -> None:
        await post.look()
        await post.settle()

    async def messages(self) -> list[AlertDelivery]:
        async with self.db.read() as session:
            query = select(AlertDelivery).order_by(AlertDelivery.created_us)  # type: ignore[arg-type]
            return list(await session.scalars(query))

    async def channel(self) -> AlertChannel:
        async with self.db.read() as session:
            return (await session.scalars(select(AlertChannel))).one()


@pytest.fixture
async def office(database: Database, settings: Settings) -> AsyncIterator[Office]:
    vault = Vault(database, settings)
    await vault.open()
    upstream = Upstream(SocketTransport())
    made = Office(database, AlertChannels(database, vault, has_mail=False), upstream)
    yield made
    for post in made.posts:
        await post.close()
    await upstream.close()


async def test_a_webhook_is_signed_and_says_what_happened(office: Office) -> None:
    async with receiver() as hook:
        secret = await office.webhook(hook)
        await office.note()
        await office.turn(office.worker())
    [(headers, body)] = hook.received
    assert verify([secret], headers, body, NOW_US // SECOND_US) == (await office.messages())[0].id
    said = orjson.loads(body)
    assert (said["type"], said["data"]["kind"], said["data"]["severity"]) == ("alert.opened", "budget", "critical")
    assert (said["data"]["subject"], said["data"]["evidence"]) == ("key_1", {"spent": 3})
    assert (await office.messages())[0].state == "delivered"
    assert (await office.channel()).delivered_us == NOW_US


async def test_it_is_tried_on_schedule_under_one_id_with_the_same_bytes(office: Office) -> None:
    async with receiver(*[500] * 9) as hook:
        await office.webhook(hook)
        await office.note()
        post = office.worker()
        for wait_us in SCHEDULE_US:
            if wait_us:
                office.now_us += wait_us - 1
                await office.turn(post)
                tried = len(hook.received)
                office.now_us += 1
                await office.turn(post)
                assert len(hook.received) == tried + 1, f"due after {wait_us} µs and not before"
            else:
                await office.turn(post)
        assert len(hook.received) == 10
        assert len(set(hook.ids)) == len({body for _, body in hook.received}) == 1
    [message] = await office.messages()
    assert (message.state, message.attempts) == ("delivered", 10)
    assert [entry["status"] for entry in message.log] == [500] * 9 + [204]


async def test_after_the_last_attempt_the_channel_is_disabled_and_that_is_noted(office: Office) -> None:
    async with receiver(*[500] * 20) as hook:
        await office.webhook(hook)
        await office.note()
        await office.note("key_2")
        post = office.worker()
        for wait_us in SCHEDULE_US:
            office.now_us += wait_us
            await office.turn(post)
    channel = await office.channel()
    assert channel.disabled_us is not None
    assert channel.disabled_why == "Ten attempts in three days failed. The receiver answered 500."
    assert {message.state for message in await office.messages()} <= {"failed", "dropped"}
    assert post._notes.waiting == 1


async def test_one_refused_message_disables_no_channel_that_takes_others(office: Office) -> None:
    async with receiver(*[500] * 9) as hook:
        await office.webhook(hook)
        await office.note()
        post = office.worker()
        for wait_us in SCHEDULE_US[:9]:
            office.now_us += wait_us
            await office.turn(post)
        await office.note("key_2")
        await office.turn(post)
        hook.answers = [500]
        office.now_us += SCHEDULE_US[9]
        await office.turn(post)
    assert sorted(message.state for message in await office.messages()) == ["delivered", "failed"]
    assert (await office.channel()).disabled_us is None


async def test_410_disables_at_once(office: Office) -> None:
    async with receiver(410) as hook:
        await office.webhook(hook)
        await office.note()
        await office.turn(office.worker())
    assert "gone (410)" in (await office.channel()).disabled_why


async def test_retry_after_is_honoured(office: Office) -> None:
    async with receiver("503 X\r\nretry-after: 600") as hook:
        await office.webhook(hook)
        await office.note()
        await office.turn(office.worker())
    assert (await office.messages())[0].next_us == NOW_US + 600 * SECOND_US


async def test_two_workers_deliver_once(office: Office) -> None:
    async with receiver() as hook:
        await office.webhook(hook)
        for number in range(12):
            await office.note(f"key_{number}")
        workers = [office.worker(), office.worker(), office.worker()]
        for _ in range(3):
            await asyncio.gather(*(office.turn(worker) for worker in workers))
        assert len(hook.ids) == len(set(hook.ids)) == 12


async def test_a_worker_killed_in_an_attempt_leaves_one_more_under_the_same_id(office: Office) -> None:
    async with receiver() as hook:
        hook.delay_seconds = 30.0
        await office.webhook(hook)
        await office.note()
        victim, heir = office.worker(), office.worker()
        await victim.look()
        async with asyncio.timeout(5):
            while not hook.received:
                await asyncio.sleep(0.01)
        for task in victim._under_way:
            task.cancel()
        await victim.settle()
        hook.delay_seconds = 0.0
        await office.turn(heir)
        assert len(hook.received) == 1, "the claim of the dead worker still stands"
        office.now_us += CLAIM_US
        await office.turn(heir)
        await office.turn(heir)
        assert len(hook.ids) == 2
        assert len(set(hook.ids)) == 1
    assert (await office.messages())[0].state == "delivered"


async def test_a_late_answer_of_a_claim_that_ended_changes_nothing(office: Office) -> None:
    async with receiver(500) as hook:
        hook.delay_seconds = 0.5
        await office.webhook(hook)
        await office.note()
        slow, quick = office.worker(), office.worker()
        await slow.look()
        await until(lambda: bool(hook.received))
        office.now_us += CLAIM_US
        hook.answers, hook.delay_seconds = [500], 0.0
        await office.turn(quick)
        await slow.settle()
    [message] = await office.messages()
    assert message.attempts == 2
    assert len(message.log) == 1


async def test_the_end_is_told_to_those_who_heard_of_the_beginning(office: Office) -> None:
    async with receiver() as first, receiver() as second:
        await office.webhook(first, "first")
        await office.note()
        post = office.worker()
        await office.turn(post)
        await office.webhook(second, "second")
        await office.note(is_over=True)
        await office.turn(post)
    assert [orjson.loads(body)["type"] for _, body in first.received] == ["alert.opened", "alert.resolved"]
    assert second.received == []


async def test_a_secret_that_is_replaced_signs_beside_the_new_one_until_the_overlap_ends(office: Office) -> None:
    async with receiver() as hook:
        old = await office.webhook(hook)
        _, new = await office.channels.roll_secret(OPERATOR, "hook", overlap_seconds=3600)
        channel = await office.channel()
        assert channel.previous_until_us is not None
        office.now_us = channel.previous_until_us - MINUTE_US
        post = office.worker()
        await office.note()
        await office.turn(post)
        office.now_us = channel.previous_until_us
        await office.note("key_2")
        await office.turn(post)
    (both, both_body), (one, one_body) = hook.received
    for secret in (old, new):
        verify([secret], both, both_body, int(both["webhook-timestamp"]))
    verify([new], one, one_body, int(one["webhook-timestamp"]))
    assert len(one["webhook-signature"].split(" ")) == 1


async def test_t33_a_redirect_is_not_followed(office: Office) -> None:
    async with receiver() as elsewhere, receiver() as hook:
        hook.answers = [f"302 Found\r\nlocation: {elsewhere.url}"]
        await office.webhook(hook)
        await office.note()
        await office.turn(office.worker())
        assert elsewhere.received == []
    [message] = await office.messages()
    assert (message.state, message.log[0]["status"]) == ("waiting", 302)


async def test_a_hanging_receiver_does_not_hold_up_the_others(office: Office) -> None:
    async with receiver() as slow, receiver() as quick:
        slow.delay_seconds = 30.0
        await office.webhook(slow, "slow")
        await office.webhook(quick, "quick")
        post = office.worker()
        await office.note()
        await post.look()
        async with asyncio.timeout(5):
            while not quick.received:
                await asyncio.sleep(0.02)
        await office.note("key_2")
        await post.look()
        async with asyncio.timeout(5):
            while len(quick.received) < 2:
                await asyncio.sleep(0.02)
