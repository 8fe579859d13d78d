"""Channels: who may make them, which addresses they may call, and where their secrets are."""

import pytest
from sqlalchemy import text

from aiservice.errors import BrokerError
from aiservice.kit.secret import Secret
from aiservice.kit.webhooks import key_of
from aiservice.principal import OPERATOR
from aiservice.services.alert_channels import AlertChannels
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.alert_post import AlertPost
from aiservice.services.alert_sending import Sending
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from tests.services.key_rig import DEVELOPER
from tests.upstream.conftest import Names
from tests.upstream.test_guard import NEVER, PRIVATE, TRICKS


@pytest.fixture
async def channels(database: Database, settings: Settings) -> AlertChannels:
    vault = Vault(database, settings)
    await vault.open()
    return AlertChannels(database, vault, has_mail=True)


async def refused(work: object) -> str:
    with pytest.raises(BrokerError) as raised:
        await work  # type: ignore[misc]
    return raised.value.code


@pytest.mark.sqlite_only("an address is judged without the database")
@pytest.mark.parametrize("host", [f"[{a}]" if ":" in a else a for a in PRIVATE + NEVER if "%" not in a])
async def test_t37_a_webhook_to_a_forbidden_literal_address_is_refused(channels: AlertChannels, host: str) -> None:
    code = await refused(channels.add_webhook(OPERATOR, "hook", f"https://{host}/hook"))
    assert code in ("webhook_url_not_allowed", "invalid_webhook_url")


@pytest.mark.sqlite_only("an address is judged without the database")
async def test_t37_addresses_written_in_odd_ways_are_refused(channels: AlertChannels) -> None:
    for url in TRICKS:
        if "?" in url:
            continue  # a query may stand in a webhook's URL
        for is_allowed in (False, True):
            code = await refused(channels.add_webhook(OPERATOR, "hook", url, is_private_allowed=is_allowed))
            assert code in ("webhook_url_not_allowed", "invalid_webhook_url"), url


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00:ec2::254", "100.64.0.1"])
@pytest.mark.sqlite_only("an address is judged without the database")
async def test_t37_a_name_that_points_to_a_forbidden_address_is_refused_when_it_is_used(
    database: Database, channels: AlertChannels, address: str
) -> None:
    names = Names({"hooks.example.com": ["8.8.8.8", address]})
    upstream = Upstream(SocketTransport(resolver=names))
    await channels.add_webhook(OPERATOR, "hook", "https://hooks.example.com/hook")
    notes = AlertNotes(database)
    notes.note("budget", "key_1", "Spent.", severity=Severity.CRITICAL)
    await notes.flush()
    post = AlertPost(database, notes, Sending(database, channels, upstream, None))
    await post.look()
    await post.settle()
    await upstream.close()
    async with database.read() as session:
        log = str((await session.execute(text("SELECT log FROM alert_delivery"))).scalar_one())
    assert "private or reserved" in log
    assert names.asked == ["hooks.example.com"]


async def test_only_an_admin_may_see_or_make_channels(channels: AlertChannels) -> None:
    for work in (
        channels.list(DEVELOPER),
        channels.add_webhook(DEVELOPER, "hook", "https://hooks.example.com/x"),
        channels.add_email(DEVELOPER, "mail", ["a@example.org"]),
        channels.roll_secret(DEVELOPER, "hook"),
        channels.remove(DEVELOPER, "hook"),
    ):
        assert await refused(work) == "admin_only"


async def test_a_secret_is_sealed_and_shown_only_when_it_is_made(database: Database, channels: AlertChannels) -> None:
    view, secret = await channels.add_webhook(OPERATOR, "hook", "https://hooks.example.com/x?tenant=7")
    assert len(key_of(secret)) == 32
    assert view.address == "https://hooks.example.com/x?tenant=7"
    assert secret.reveal_text() not in repr(await channels.list(OPERATOR))
    async with database.read() as session:
        sealed = (await session.execute(text("SELECT sealed FROM sealed_secret"))).scalar_one()
    assert secret.reveal() not in bytes(sealed)


@pytest.mark.parametrize("given", ["", "whsec_", "whsec_c2hvcnQ=", "a-secret-of-somebodys-own-making"])
async def test_t75_an_empty_or_short_secret_is_refused_when_it_is_set(channels: AlertChannels, given: str) -> None:
    work = channels.add_webhook(OPERATOR, "hook", "https://hooks.example.com/x", Secret(given))
    assert await refused(work) == "invalid_secret"
    assert await channels.list(OPERATOR) == []


async def test_t75_a_channel_whose_secret_was_moved_to_another_address_sends_nothing(
    database: Database, channels: AlertChannels
) -> None:
    await channels.add_webhook(OPERATOR, "hook", "https://hooks.example.com/x")
    async with database.write() as session:
        await session.execute(text("UPDATE alert_channel SET address = 'https://evil.example.com/x'"))
    names = Names({"evil.example.com": ["8.8.8.8"]})
    upstream = Upstream(SocketTransport(resolver=names))
    channels._vault._cache.clear()
    notes = AlertNotes(database)
    post = AlertPost(database, notes, Sending(database, channels, upstream, None))
    async with database.read() as session:
        from aiservice.store.alert_rules import find_channel

        row = await find_channel(session, "hook")
    assert row is not None
    outcome = await post.test(row)
    await upstream.close()
    assert not outcome.is_delivered
    assert names.asked == []


async def test_mail_goes_to_addresses_admins_or_the_owner(channels: AlertChannels) -> None:
    view = await channels.add_email(OPERATOR, "mail", ["Ada@Example.org", "admins", "owner", "ada@example.org"])
    assert view.address == "ada@example.org, admins, owner"
    assert await refused(channels.add_email(OPERATOR, "other", ["nobody"])) == "email_invalid"
    assert await refused(channels.add_email(OPERATOR, "other", [])) == "invalid_address"
    assert await refused(channels.add_email(OPERATOR, "mail", ["a@example.org"])) == "name_taken"


async def test_without_a_mail_server_there_is_no_mail_channel(database: Database, settings: Settings) -> None:
    channels = AlertChannels(database, Vault(database, settings), has_mail=False)
    assert await refused(channels.add_email(OPERATOR, "mail", ["a@example.org"])) == "no_mail_server"


async def test_with_a_mail_server_the_admins_get_mail_from_the_start(channels: AlertChannels) -> None:
    await channels.ensure_builtin()
    await channels.ensure_builtin()
    assert [(c.kind, c.address) for c in await channels.list(OPERATOR)] == [("email", "admins")]
