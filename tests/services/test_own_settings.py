"""What people set for themselves: it is theirs alone, and mails and times go by it."""

from dataclasses import replace
from typing import Any, cast

import pytest

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.alert_digest import AlertDigest
from aiservice.services.alert_sending import Sending
from aiservice.services.alerts import Alerts
from aiservice.services.changes import ChangeFeed
from aiservice.services.own_settings import OwnSettings, alert_kinds, time_zones
from aiservice.services.sessions import Sessions
from aiservice.services.usage import Usage
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import AlertChannel, AlertEvent, User
from aiservice.upstream.client import Upstream
from aiservice.upstream.mail import Mailer
from aiservice.upstream.socket_transport import SocketTransport

DAN = Person("usr_d", "d@example.org", Role.DEVELOPER)
MORNING_US = 1_800_000_000_000_000 // DAY_US * DAY_US + 7 * HOUR_US


@pytest.fixture
def own(db: Database) -> OwnSettings:
    return OwnSettings(db, ChangeFeed(db))


async def code_of(asking: Any) -> str:
    with pytest.raises(BrokerError) as refused:
        await asking
    return refused.value.code


async def test_nothing_is_set_until_somebody_does(own: OwnSettings) -> None:
    view = await own.get(DAN)
    assert (view.time_zone, view.portal_only, view.digest) == ("UTC", (), "never")
    view = await own.set(DAN, time_zone="Asia/Tokyo")
    assert await own.set(DAN, portal_only=["quota", "quota"], digest="daily") == replace(
        view, portal_only=("quota",), digest="daily"
    )


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone_unknown"), ({"time_zone": "../etc/passwd"}, "time_zone_unknown"),
        ({"time_zone": ""}, "time_zone_unknown"), ({"portal_only": ["nonsense"]}, "alert_kind_unknown"),
        ({"digest": "hourly"}, "invalid_value"),
    ],
)  # fmt: skip
async def test_what_there_is_not_is_refused(own: OwnSettings, edit: dict[str, Any], code: str) -> None:
    assert await code_of(own.set(DAN, **edit)) == code
    assert (await own.get(DAN)).time_zone == "UTC"


async def test_who_has_no_account_has_no_settings(own: OwnSettings) -> None:
    assert await code_of(own.get(OPERATOR)) == "not_found"
    assert {"UTC", "Europe/Berlin"} <= time_zones()
    assert {"error_share", "key_leaked"} <= alert_kinds().keys()


async def test_a_session_knows_the_zone_of_its_person(db: Database, own: OwnSettings) -> None:
    sessions = Sessions(db, own._changes)
    async with db.write() as session:
        user = await session.get(User, "usr_d")
        assert user is not None
        cookie = sessions.open(session, user, "192.0.2.1", "")
    before = await sessions.resolve(cookie)
    await own.set(DAN, time_zone="Europe/Berlin")
    sessions.forget(DAN.user_id)
    after = await sessions.resolve(cookie)
    assert (before and before.time_zone, after and after.time_zone) == ("UTC", "Europe/Berlin")


async def test_who_wants_a_kind_in_the_portal_only_gets_no_mail_of_it(db: Database, own: OwnSettings) -> None:
    sending = Sending(db, None, None, None)  # type: ignore[arg-type]
    alert = AlertEvent(id="alt_1", kind="quota", subject="s", severity=2, words="w", client_id="cli_own", first_us=1)
    to_owner = AlertChannel(id="chn_1", name="owners", kind="email", address="owner", created_us=1)
    assert await sending._recipients(to_owner, alert) == ["d@example.org"]
    await own.set(DAN, portal_only=["quota"])
    assert await sending._recipients(to_owner, alert) == []
    named = AlertChannel(id="chn_2", name="named", kind="email", address="owner, d@example.org", created_us=1)
    assert await sending._recipients(named, alert) == ["d@example.org"]  # an admin wrote it there


class Post:
    """A mail server that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[str], str, str]] = []

    async def send(self, to: list[str], subject: str, text: str) -> None:
        self.sent.append((to, subject, text))

    def close(self) -> None:
        pass


def event(number: int, client_id: str, at_us: int) -> AlertEvent:
    return AlertEvent(
        id=f"alt_{number}", kind="quota", subject=str(number), severity=2, words=f"Words {number}.",
        client_id=client_id, first_us=at_us, last_us=at_us,
    )  # fmt: skip


async def test_a_digest_comes_once_a_day_in_the_morning_of_its_person_with_what_they_may_see(
    db: Database, own: OwnSettings, settings: Settings
) -> None:
    vault, upstream, post = Vault(db, settings), Upstream(SocketTransport()), Post()
    alerts = Alerts(db, vault, Usage(db), upstream, settings, worker="wrk_1")
    alerts.mail = cast(Mailer, post)
    digest = AlertDigest(db, alerts, "https://ai.example.org")
    await own.set(DAN, time_zone="Asia/Tokyo", digest="daily")  # nine hours ahead: 07:00 there is 22:00 UTC
    async with db.write() as session:
        session.add_all([event(1, "cli_own", MORNING_US), event(2, "cli_1", MORNING_US)])
    seven_in_tokyo = MORNING_US + 15 * HOUR_US
    assert [await digest.look(seven_in_tokyo + hours * HOUR_US) for hours in (-1, 0, 1)] == [0, 1, 0]
    [(to, _, text)] = post.sent
    assert ("Words 1." in text, "Words 2." in text, to) == (True, False, ["d@example.org"])
    post.sent.clear()
    async with db.write() as session:
        session.add(event(3, "cli_own", seven_in_tokyo + 40 * HOUR_US))
    assert [await digest.look(seven_in_tokyo + (48 + hours) * HOUR_US) for hours in (-1, 0, 1)] == [0, 1, 0]
    [(to, subject, text)] = post.sent
    assert (to, subject) == (["d@example.org"], "[aiservice] 1 alert since yesterday")
    assert "Words 3." in text
    assert "Words 1." not in text
    assert "https://ai.example.org/alerts" in text
    await upstream.close()
