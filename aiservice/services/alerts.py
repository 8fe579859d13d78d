"""Alerts as people see them: what is open, who knows of it, what is muted, and how their messages fared.

`core.alerts` is also how services say that something happened (`note`, `over`: `services/alert_notes.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiservice.errors import Conflict, Unprocessable
from aiservice.kit.clock import DAY_US, SECOND_US, now_us
from aiservice.principal import Person
from aiservice.services.alert_channels import AlertChannels, existing
from aiservice.services.alert_metrics import title_of
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.alert_post import AlertPost
from aiservice.services.alert_rules import AlertRules, existing_rule
from aiservice.services.alert_sending import Outcome, Sending
from aiservice.services.alert_watch import AlertWatch
from aiservice.services.audit_entry import record
from aiservice.services.names import no_such
from aiservice.services.rights import Reach, may, needs, scope
from aiservice.services.usage import Usage
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store import alert_delivery as delivery_store
from aiservice.store import alerts as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import AlertDelivery, AlertEvent, AlertMute
from aiservice.upstream.client import Upstream
from aiservice.upstream.mail import Mailer, default_sender

STATES = ("open", "acknowledged", "resolved")
MAX_MUTE_SECONDS = 90 * 86_400
_KEEP_US = 90 * DAY_US


@dataclass(slots=True, frozen=True)
class AlertView:
    """An alert as people see it. `muted_until_us` is None unless it is muted: itself, its kind or its rule."""

    id: str
    kind: str
    title: str
    subject: str
    client: str | None
    severity: Severity
    state: str
    words: str
    evidence: Mapping[str, Any]
    count: int
    first_us: int
    last_us: int
    acknowledged_us: int | None
    acknowledged_by: str
    resolved_us: int | None
    resolved_by: str
    muted_until_us: int | None


@dataclass(slots=True, frozen=True)
class DeliveryView:
    """A message in the delivery log; `attempts` has an entry for each: at_us, result, status, ms, words."""

    id: str
    channel: str
    event: str
    words: str
    state: str
    attempts: Sequence[Mapping[str, Any]]
    next_us: int | None
    created_us: int


class Alerts(AlertNotes):
    """Developers see and acknowledge the alerts of their own clients; admins all, and the rules, channels and log."""

    def __init__(
        self, db: Database, vault: Vault, usage: Usage, upstream: Upstream, settings: Settings, *, worker: str
    ) -> None:
        super().__init__(db, worker=worker, may_write=lambda: not vault.is_sealed)
        server = settings.smtp_url
        self.mail = None if server is None else Mailer(server, settings.mail_from or default_sender())
        self.rules = AlertRules(db)
        self.channels = AlertChannels(db, vault, has_mail=self.mail is not None)
        self.watch = AlertWatch(db, usage, self.rules)
        sending = Sending(db, self.channels, upstream, self.mail)
        self.post = AlertPost(db, self, sending, public_url=settings.public_url)

    async def close(self) -> None:
        """Ends the messages under way, writes what was noted, lets go of the mail server."""
        await self.post.close()
        await super().close()
        if self.mail is not None:
            self.mail.close()

    @needs("alert.list")
    async def list(self, actor: Person, state: str = "", *, first: int = 0, limit: int = 50) -> Sequence[AlertView]:
        """The alerts the actor may see, in one of `STATES` or all, the latest first."""
        async with self._db.read() as session:
            mutes = await store.mutes(session, now_us())
            rows = await store.listed(session, scope(actor, "alert.list"), state=state, first=first, limit=limit)
        return [_view(row, client, mutes) for row, client in rows]

    @needs("alert.list")
    async def find(self, actor: Person, alert_id: str) -> AlertView:
        """One alert. Raises: NotFound: there is none, or not one of the actor's."""
        async with self._db.read() as session:
            row = await self._visible(session, actor, "alert.list", alert_id)
            return _view(row, None, await store.mutes(session, now_us()))

    @needs("alert.list")
    async def count(self, actor: Person, state: str = "open") -> int:
        """How many `list` would give without a limit."""
        async with self._db.read() as session:
            return await store.count(session, scope(actor, "alert.list"), state)

    @needs("alert.acknowledge")
    async def acknowledge(self, actor: Person, alert_id: str) -> None:
        """Says that somebody sees to it.

        Raises:
            NotFound: no such alert, or not one of the actor's.
        """
        async with self._db.write() as session:
            row = await self._visible(session, actor, "alert.acknowledge", alert_id)
            if row.resolved_us is None and row.acknowledged_us is None:
                row.acknowledged_us, row.acknowledged_by = now_us(), actor.email

    @needs("alert.resolve")
    async def resolve(self, actor: Person, alert_id: str) -> None:
        """Says that it is over. What goes on is said again, or found again by its rule once it was well between.

        Raises:
            NotFound: as `acknowledge`.
        """
        async with self._db.write() as session:
            row = await self._visible(session, actor, "alert.resolve", alert_id)
            if row.open_key is not None:
                await store.end(session, row.open_key, now_us(), actor.email)

    @needs("alert.mute")
    async def mute(self, actor: Person, target: str, seconds: float) -> str:
        """Tells nobody for a time: of an alert (its id), a rule (its name or id) or a kind; 0 seconds ends it.

        What was muted is told when the mute ends, if it is still open then. The target as it is stored is returned.

        Raises:
            NotFound: no such alert, rule or kind; for a developer only own alerts are there.
            Unprocessable: longer than 90 days.
        """
        if not 0 <= seconds <= MAX_MUTE_SECONDS:
            raise Unprocessable("A mute lasts at most 90 days.", code="invalid_duration", param="for")
        async with self._db.write() as session:
            stored = await self._target(session, actor, target)
            if seconds:
                await store.mute(session, stored, now_us() + int(seconds * SECOND_US), actor.email)
            else:
                await store.unmute(session, stored)
            record(session, actor, "alert.mute", stored[:120], after={"seconds": seconds})
        return stored

    @needs("alert.deliveries")
    async def mutes(self, actor: Person) -> Mapping[str, int]:
        """What is muted, and until when. Raises PermissionDenied for a developer."""
        async with self._db.read() as session:
            return {target: row.until_us for target, row in (await store.mutes(session, now_us())).items()}

    @needs("alert.deliveries")
    async def deliveries(
        self, actor: Person, *, alert_id: str | None = None, first: int = 0, limit: int = 50
    ) -> Sequence[DeliveryView]:
        """The delivery log, newest first. Raises PermissionDenied for a developer."""
        async with self._db.read() as session:
            rows = await delivery_store.recent(session, alert_id=alert_id, first=first, limit=limit)
        return [_delivery(*row) for row in rows]

    @needs("alert_channel.resend")
    async def send_again(self, actor: Person, delivery_id: str) -> None:
        """Has a message that did not arrive sent once more, within seconds, with the same id.

        Raises:
            PermissionDenied. NotFound: there is no such message.
            Conflict: it was delivered (`already_delivered`).
        """
        async with self._db.write() as session:
            row = await delivery_store.find(session, delivery_id)
            if row is None:
                raise no_such("message", delivery_id, [])
            if row.state == "delivered":
                raise Conflict("That message was delivered.", code="already_delivered")
            before, row.state, row.next_us, row.ended_us = row.state, "waiting", now_us(), None
            record(session, actor, "alert_channel.resend", row.id, before={"state": before})

    @needs("alert_channel.test")
    async def test(self, actor: Person, channel: str) -> Outcome:
        """Sends a test message to a channel now.

        Raises:
            NotFound, PermissionDenied: as the channel's own.
        """
        async with self._db.read() as session:
            row = await existing(session, channel)
        return await self.post.test(row)

    async def tidy(self) -> None:
        """Deletes what was resolved, or sent, 90 days ago, and mutes that have ended."""
        async with self._db.write() as session:
            await store.delete_before(session, now_us() - _KEEP_US)
            await store.delete_mutes_before(session, now_us())

    async def _visible(self, session: AsyncSession, actor: Person, action: str, alert_id: str) -> AlertEvent:
        row = await store.visible(session, alert_id, scope(actor, action))
        if row is None:
            raise no_such("alert", alert_id, [])
        return row

    async def _target(self, session: AsyncSession, actor: Person, target: str) -> str:
        row = await store.visible(session, target, scope(actor, "alert.mute"))
        if row is not None:
            return f"alert:{row.open_key or ''}"
        if not may(actor, "alert.mute", Reach.PLATFORM):
            raise no_such("alert", target, [])
        if target.startswith("kind:"):
            return target[:100]
        return f"rule:{(await existing_rule(session, target.removeprefix('rule:'))).id}"


def _view(row: AlertEvent, client: str | None, mutes: Mapping[str, AlertMute]) -> AlertView:
    targets = (f"alert:{row.open_key}", f"kind:{row.kind}", f"rule:{row.rule_id or 'rul_builtin_' + row.kind}")
    muted = [mutes[target].until_us for target in targets if target in mutes]
    state = "resolved" if row.resolved_us is not None else "acknowledged" if row.acknowledged_us is not None else "open"
    return AlertView(
        id=row.id,
        kind=row.kind,
        title=title_of(row.kind),
        subject=row.subject,
        client=client,
        severity=Severity(row.severity),
        state=state,
        words=row.words,
        evidence=row.evidence,
        count=row.count,
        first_us=row.first_us,
        last_us=row.last_us,
        acknowledged_us=row.acknowledged_us,
        acknowledged_by=row.acknowledged_by,
        resolved_us=row.resolved_us,
        resolved_by=row.resolved_by,
        muted_until_us=max(muted) if muted and row.resolved_us is None else None,
    )


def _delivery(row: AlertDelivery, channel: str | None, alert: AlertEvent | None) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        channel=channel or "removed",
        event=row.event,
        words="Test message." if alert is None else alert.words,
        state=row.state,
        attempts=row.log,
        next_us=row.next_us,
        created_us=row.created_us,
    )
