"""One attempt at one message, by whichever way the channel is. It says how it went and never raises.

Webhooks go through the only door out, with every check that a provider's address gets; nothing of an answer but its
status is looked at.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aiservice.errors import BrokerError
from aiservice.kit.clock import SECOND_US
from aiservice.kit.webhooks import key_of, signed
from aiservice.services.alert_channels import ADMINS, OWNER, AlertChannels, webhook_target
from aiservice.services.alert_messages import mail_of
from aiservice.settings import Deadlines
from aiservice.store import alert_rules as store
from aiservice.store import own_settings
from aiservice.store.session import Database
from aiservice.tables import AlertChannel, AlertDelivery, AlertEvent
from aiservice.upstream.client import Target, Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.guard import ParsedBase
from aiservice.upstream.mail import Mailer, MailFailed
from aiservice.wire import HttpCall

_DEADLINES = Deadlines(connect=5.0, first_byte=15.0, idle=5.0, total=20.0, progress=15.0)
_MAX_BYTES = 64 * 1024
_WORDS = {
    "upstream_connect_failed": "The receiver could not be reached.",
    "upstream_connect_timeout": "The receiver did not accept a connection in time.",
    "upstream_dns_failed": "The receiver's host name could not be resolved.",
    "upstream_address_refused": "The receiver's address is private or reserved, and this channel may not call such.",
    "upstream_tls_failed": "The receiver's certificate or TLS version was not accepted.",
    "upstream_first_byte_timeout": "The receiver did not answer within 15 seconds.",
    "upstream_redirected": "The receiver answered with a redirect, which is never followed.",
}


@dataclass(slots=True, frozen=True)
class Outcome:
    """How an attempt went: "gone" is a receiver that wants no more of them, "dropped" a message that is for nobody."""

    result: Literal["delivered", "failed", "gone", "dropped"]
    words: str
    status: int | None = None
    ms: int = 0
    retry_after_us: int = 0

    @property
    def is_delivered(self) -> bool:
        return self.result == "delivered"


class Sending:
    """Sends to channels of every kind. Without `mail` there is no mail server."""

    def __init__(self, db: Database, channels: AlertChannels, upstream: Upstream, mail: Mailer | None) -> None:
        self._db = db
        self._channels = channels
        self._upstream = upstream
        self._mail = mail

    async def send(self, channel: AlertChannel, row: AlertDelivery, alert: AlertEvent | None, at_us: int) -> Outcome:
        """One attempt."""
        began = time.monotonic()
        if channel.kind == "webhook":
            outcome = await self._call(channel, row, at_us)
        else:
            outcome = await self._write(channel, row, alert)
        ms = round((time.monotonic() - began) * 1000)
        return Outcome(outcome.result, outcome.words, outcome.status, ms, outcome.retry_after_us)

    async def _call(self, channel: AlertChannel, row: AlertDelivery, at_us: int) -> Outcome:
        body = row.body.encode()
        try:
            base, query = webhook_target(channel.address, is_private_allowed=channel.is_private_allowed)
            async with self._db.read() as session:
                keys = [key_of(secret) for secret in await self._channels.secrets(session, channel, at_us)]
            headers = signed(keys, row.id, at_us // SECOND_US, body)
            # The path is of the call, so that the address is that of a host alone.
            host = ParsedBase(base.scheme, base.host, base.port, "")
            target = Target(channel.id, 1, host, lambda _call: headers, channel.is_private_allowed)
            call = HttpCall(base.path + query, body)
            stream = await self._upstream.open_stream(target, call, deadlines=_DEADLINES, max_bytes=_MAX_BYTES)
        except UpstreamFailure as exc:
            return _failed(exc)
        except BrokerError as exc:
            return Outcome("failed", exc.message)
        except ValueError as exc:
            return Outcome("failed", str(exc))
        await stream.aclose()
        return _answered(stream.status, stream.headers.get("retry-after", ""))

    async def _write(self, channel: AlertChannel, row: AlertDelivery, alert: AlertEvent | None) -> Outcome:
        if self._mail is None:
            return Outcome("failed", "No mail server is configured (AISERVICE_SMTP_URL).")
        recipients = await self._recipients(channel, alert)
        if not recipients:
            return Outcome("dropped", "There is nobody to write to.")
        try:
            await self._mail.send(recipients, *mail_of(row.body), message_id=row.id)
        except MailFailed as exc:
            return Outcome("failed", str(exc))
        return Outcome("delivered", f"Taken by the mail server for {len(recipients)}.")

    async def _recipients(self, channel: AlertChannel, alert: AlertEvent | None) -> Sequence[str]:
        """The addresses behind a channel's words, each once. A test for the owner goes to the admins; who
        has set that such alerts are in the portal only is left out."""
        found: list[str] = []
        written = set(channel.address.split(", "))  # by an admin, so it is no person's choice
        async with self._db.read() as session:
            for word in channel.address.split(", "):
                if word == ADMINS or (word == OWNER and alert is None):
                    found += await store.admins(session)
                elif word == OWNER:
                    owner = None
                    if alert is not None and alert.client_id is not None:
                        owner = await store.owner_of(session, alert.client_id)
                    found += [owner] if owner else []
                else:
                    found.append(word)
            silent = set() if alert is None else await own_settings.silent_about(session, alert.kind, found)
        return [email for email in dict.fromkeys(found) if email not in silent or email in written]


def _answered(status: int, retry_after: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome("delivered", f"Taken ({status}).", status)
    if status == 410:
        return Outcome("gone", "The receiver says that it is gone (410).", status)
    wait = (
        int(retry_after) * SECOND_US if status in (429, 503) and retry_after.isdecimal() and len(retry_after) < 8 else 0
    )
    return Outcome("failed", f"The receiver answered {status}.", status, retry_after_us=wait)


def _failed(exc: UpstreamFailure) -> Outcome:
    status = exc.failure.upstream_status
    if status is not None and 200 <= status < 300:  # taken, with an answer that we would not have read anyway
        return Outcome("delivered", f"Taken ({status}).", status)
    words = _WORDS.get(exc.code) or exc.failure.message.replace("The provider", "The receiver")
    return Outcome("failed", words, status)
