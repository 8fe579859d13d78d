"""Alerts and links by mail, through a real server, from the note to the inbox."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller

from aiservice.kit.smtp_url import parse_smtp_url
from aiservice.principal import OPERATOR
from aiservice.services.alert_messages import body_of, mail_of
from aiservice.services.alert_notes import Severity
from aiservice.services.alerts import Alerts
from aiservice.services.mailing import mail_link
from aiservice.services.usage import Usage
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import AlertEvent, User
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from tests.harness.process import free_port
from tests.upstream.test_mail import Inbox

pytestmark = pytest.mark.sqlite_only("what is written to the database is the same")


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    handler = Inbox()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield handler, controller.port
    controller.stop()


@pytest.fixture
async def alerts(db: Database, settings: Settings, inbox: tuple[Inbox, int]) -> AsyncIterator[Alerts]:
    vault = Vault(db, settings)
    await vault.open()
    server = parse_smtp_url(f"smtp://127.0.0.1:{inbox[1]}")
    with_mail = replace(
        settings, smtp_url=server, mail_from="aiservice@example.org", public_url="https://ai.example.org"
    )
    upstream = Upstream(SocketTransport())
    made = Alerts(db, vault, Usage(db), upstream, with_mail, worker="wrk_1")
    async with db.write() as session:
        session.add(User(id="usr_a", email="admin@example.org", password_hash="", role="admin", created_us=1))
    yield made
    await made.close()
    await upstream.close()


async def test_an_alert_reaches_the_admins_and_the_owner(alerts: Alerts, inbox: tuple[Inbox, int]) -> None:
    await alerts.channels.ensure_builtin()
    await alerts.channels.add_email(OPERATOR, "owners", ["owner"])
    evidence = {"spent_usd": 100.0}
    words = "All of it is spent."
    alerts.note("budget_level", "bud_1", words, severity=Severity.CRITICAL, client_id="cli_own", evidence=evidence)
    await alerts.flush()
    await alerts.post.look()
    await alerts.post.settle()
    mails = {str(message["To"]): message for message in inbox[0].messages}
    assert mails.keys() == {"admin@example.org", "d@example.org"}
    message = mails["d@example.org"]
    assert message["Subject"] == "[aiservice] Critical: All of it is spent."
    text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    for line in ("Client: own", "  spent_usd: 100.0", "Open the alert: https://ai.example.org/alerts"):
        assert line in text
    states = {view.state for view in await alerts.deliveries(OPERATOR)}
    assert states == {"delivered"}


async def test_a_message_for_the_owner_of_nothing_is_dropped(alerts: Alerts, inbox: tuple[Inbox, int]) -> None:
    await alerts.channels.add_email(OPERATOR, "owners", ["owner"])
    alerts.note("provider_down", "eu", "It does not answer.")
    await alerts.flush()
    await alerts.post.look()
    await alerts.post.settle()
    [message] = await alerts.deliveries(OPERATOR)
    assert (message.state, message.attempts[0]["words"]) == ("dropped", "There is nobody to write to.")
    assert inbox[0].messages == []


async def test_a_link_is_mailed_where_it_leads_somewhere(alerts: Alerts, inbox: tuple[Inbox, int]) -> None:
    assert await mail_link(alerts.mail, "a@example.org", "Hello", "/invite?token=x") == ""
    assert await mail_link(None, "a@example.org", "Hello", "https://ai.example.org/invite?token=x") == ""
    told = await mail_link(alerts.mail, "a@example.org", "Hello", "https://ai.example.org/invite?token=x")
    assert told == "It was also mailed to a@example.org."
    assert "token=x" in str(inbox[0].messages[0].get_payload(decode=True))
    told = await mail_link(alerts.mail, "a@refused.example", "Hello", "https://ai.example.org/invite?token=x")
    assert told.startswith("It was not mailed: The mail server refused every recipient.")


def test_a_mail_says_who_made_the_figure() -> None:
    part = {"by": "key", "id": "key_1", "name": "ci-bot", "value": 31.0, "share": 0.62, "of": "failed requests"}
    alert = AlertEvent(
        id="alt_1", kind="error_share", subject="", severity=2, words="Too many failed.", count=1, first_us=1,
        last_us=1, evidence={"value": 50.0, "contributors": [part]},
    )  # fmt: skip
    body = body_of("alert.opened", alert, None, 1, None)
    assert '"contributors":[{"by":"key","id":"key_1"' in body
    _, text = mail_of(body)
    assert "  Largest shares of failed requests:\n    key ci-bot: 62%" in text
    assert "contributors:" not in text
