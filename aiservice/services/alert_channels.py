"""Ways to tell people: e-mail, and webhooks signed by Standard Webhooks. Beside them the portal shows every alert."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.ids import new_id
from aiservice.kit.secret import Secret
from aiservice.kit.webhooks import key_of, new_secret
from aiservice.principal import Person
from aiservice.services.alert_notes import Severity
from aiservice.services.audit_entry import record
from aiservice.services.emails import checked_email
from aiservice.services.envelopes import Binding
from aiservice.services.names import clean_name, no_such, shown
from aiservice.services.rights import needs
from aiservice.services.vault import Vault
from aiservice.store import alert_rules as store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.unique import Taken, add_unique
from aiservice.tables import AlertChannel
from aiservice.upstream.guard import ParsedBase, check_base_url
from aiservice.upstream.outgoing import checked_path

ADMINS, OWNER = "admins", "owner"
"""Recipients that are not addresses: every admin, and the owner of the client that an alert is about."""
OVERLAP_SECONDS = 24 * 3600
MAX_OVERLAP_SECONDS = 7 * 86_400
_PURPOSE = "alert webhook"
_BUILTIN = "chn_builtin_mail"
_MAX_RECIPIENTS = 20


@dataclass(slots=True, frozen=True)
class ChannelView:
    """A channel as admins see it; its secret is never in it."""

    id: str
    name: str
    kind: str
    address: str
    is_private_allowed: bool
    min_severity: Severity
    disabled_why: str
    is_disabled: bool
    delivered_us: int | None
    created_us: int


class AlertChannels:
    """Admins see and change channels. `has_mail`: a mail server is configured."""

    def __init__(self, db: Database, vault: Vault, *, has_mail: bool) -> None:
        self._db = db
        self._vault = vault
        self.has_mail = has_mail

    @needs("alert_channel.list")
    async def list(self, actor: Person) -> Sequence[ChannelView]:
        """All channels.

        Raises:
            PermissionDenied: the actor is no admin.
        """
        async with self._db.read() as session:
            return [view(row) for row in await store.channels(session)]

    @needs("alert_channel.add")
    async def add_email(
        self, actor: Person, name: str, recipients: Sequence[str], min_severity: Severity = Severity.WARNING
    ) -> ChannelView:
        """Mail to addresses, to `admins` or to the `owner` of the client concerned.

        Raises:
            PermissionDenied: the actor is no admin.
            Unprocessable: no mail server is configured, or a value is not valid.
        """
        if not self.has_mail:
            message = "No mail server is configured. Set AISERVICE_SMTP_URL, restart, and add the channel then."
            raise Unprocessable(message, code="no_mail_server")
        wanted = [text.strip() for text in recipients if text.strip()]
        if not 0 < len(wanted) <= _MAX_RECIPIENTS:
            raise Unprocessable(f"Name 1 to {_MAX_RECIPIENTS} recipients.", code="invalid_address", param="address")
        to = [text.lower() if text.lower() in (ADMINS, OWNER) else checked_email(text) for text in wanted]
        address = ", ".join(dict.fromkeys(to))
        if len(address) > 1000:
            raise Unprocessable("Those are too many characters.", code="invalid_address", param="address")
        row = AlertChannel(
            id=new_id("chn"),
            name=clean_name(name, "channel"),
            kind="email",
            address=address,
            min_severity=int(min_severity),
            created_us=now_us(),
        )
        async with self._db.write() as session:
            await _insert(session, row)
            record(session, actor, "alert_channel.add", row.id, after=_told(row))
        return view(row)

    @needs("alert_channel.add")
    async def add_webhook(
        self,
        actor: Person,
        name: str,
        url: str,
        secret: Secret | None = None,
        *,
        is_private_allowed: bool = False,
        min_severity: Severity = Severity.WARNING,
    ) -> tuple[ChannelView, Secret]:
        """A webhook and its secret: the one given, else a new one, to be shown once.

        Raises:
            PermissionDenied: the actor is no admin.
            InvalidRequest, Unprocessable: a value is not valid, or the address is not one that may be called.
            Overloaded: the vault is sealed.
        """
        base, path = webhook_target(url, is_private_allowed=is_private_allowed)
        row = AlertChannel(
            id=new_id("chn"),
            name=clean_name(name, "channel"),
            kind="webhook",
            address=base.url + path,
            is_private_allowed=is_private_allowed,
            min_severity=int(min_severity),
            created_us=now_us(),
        )
        chosen = new_secret() if secret is None else checked_secret(secret)
        async with self._db.write() as session:
            await _insert(session, row)
            await self._seal(session, row, [chosen])
            record(session, actor, "alert_channel.add", row.id, after=_told(row))
        return view(row), chosen

    @needs("alert_channel.roll_secret")
    async def roll_secret(
        self, actor: Person, name_or_id: str, secret: Secret | None = None, overlap_seconds: float = OVERLAP_SECONDS
    ) -> tuple[ChannelView, Secret]:
        """A new secret; until the overlap ends messages carry a signature of each.

        Raises:
            NotFound, and as `add_webhook`.
        """
        if not 0 <= overlap_seconds <= MAX_OVERLAP_SECONDS:
            raise Unprocessable("The overlap is at most 7 days.", code="invalid_overlap", param="overlap")
        chosen = new_secret() if secret is None else checked_secret(secret)
        async with self._db.write() as session:
            row = await existing(session, name_or_id)
            if row.kind != "webhook":
                raise Unprocessable(f"'{row.name}' is no webhook: it has no secret.", code="no_secret")
            before = await self.secrets(session, row, now_us())
            row.previous_until_us = now_us() + int(overlap_seconds * SECOND_US)
            await self._seal(session, row, [chosen, before[0]])
            record(session, actor, "alert_channel.roll_secret", row.id, after=_told(row))
            return view(row), chosen

    @needs("alert_channel.switch")
    async def enable(self, actor: Person, name_or_id: str) -> ChannelView:
        """Takes a channel into use again. Raises NotFound, PermissionDenied."""
        async with self._db.write() as session:
            row = await existing(session, name_or_id)
            row.disabled_us, row.disabled_why = None, ""
            record(session, actor, "alert_channel.enable", row.id)
            return view(row)

    @needs("alert_channel.switch")
    async def disable(self, actor: Person, name_or_id: str) -> ChannelView:
        """Takes a channel out of use; what waits for it is given up. Raises as `enable`."""
        async with self._db.write() as session:
            row = await existing(session, name_or_id)
            row.disabled_us, row.disabled_why = now_us(), f"Disabled by {actor.email}."
            await store.drop_waiting(session, row.id, now_us())
            record(session, actor, "alert_channel.disable", row.id)
            return view(row)

    @needs("alert_channel.remove")
    async def remove(self, actor: Person, name_or_id: str) -> None:
        """Removes a channel and its secret. Raises as `enable`."""
        async with self._db.write() as session:
            row = await existing(session, name_or_id)
            await self._vault.discard(session, _PURPOSE, row.id)
            await store.remove_channel(session, row.id, now_us())
            record(session, actor, "alert_channel.remove", row.id, before=_told(row))

    async def ensure_builtin(self) -> None:
        """With a mail server and no channel at all: one that writes to the admins."""
        if not self.has_mail:
            return
        async with self._db.read() as session:
            if await store.channels(session):
                return
        row = AlertChannel(id=_BUILTIN, name="Mail to the admins", kind="email", address=ADMINS, created_us=now_us())
        try:
            async with self._db.write() as session:
                await add_unique(session, row)
        except Taken:
            return

    async def secrets(self, session: AsyncSession, row: AlertChannel, at_us: int) -> Sequence[Secret]:
        """The secrets that sign now, the newest first.

        Raises:
            Overloaded: the vault is sealed, or what it holds was made for another address.
        """
        kept = await self._vault.unseal(session, **self._binding(row))
        both = [Secret(text) for text in kept.reveal_text().split(" ")]
        is_overlapping = row.previous_until_us is not None and row.previous_until_us > at_us
        return both if is_overlapping else both[:1]

    async def _seal(self, session: AsyncSession, row: AlertChannel, secrets: Sequence[Secret]) -> None:
        kept = Secret(" ".join(secret.reveal_text() for secret in secrets))
        await self._vault.seal(session, secret=kept, **self._binding(row))

    def _binding(self, row: AlertChannel) -> Binding:
        return Binding(purpose=_PURPOSE, row_id=row.id, owner="", provider="webhook", base_url=row.address, revision=1)


def webhook_target(url: str, *, is_private_allowed: bool) -> tuple[ParsedBase, str]:
    """Where a webhook goes, checked: its address up to the path, and its query with the `?`, or "".

    Raises:
        InvalidRequest, Unprocessable: not a URL, or not one that this channel may call.
    """
    address, mark, query = url.strip().partition("?")
    try:
        base = check_base_url(address, is_private_allowed)
        if mark:
            checked_path(f"/x?{query}")
    except (InvalidRequest, Unprocessable) as exc:
        words = exc.message.replace("base URL", "webhook's URL").replace("connections", "channels")
        words = words.replace("connection", "channel").replace("a provider may have", "a receiver may have")
        code = exc.code.replace("base_url", "webhook_url")
        raise type(exc)(words, code=code, param="address") from None
    if not base.path:
        words = "The webhook's URL needs a path, like https://hooks.example.com/aiservice."
        raise InvalidRequest(words, code="invalid_webhook_url", param="address")
    return base, mark + query


def checked_secret(secret: Secret) -> Secret:
    """A secret that signs.

    Raises:
        Unprocessable: empty, too short, or none of Standard Webhooks' form.
    """
    try:
        key_of(secret)
    except ValueError as exc:
        raise Unprocessable(str(exc), code="invalid_secret", param="secret") from None
    return Secret(secret.reveal_text().strip())


async def existing(session: AsyncSession, name_or_id: str) -> AlertChannel:
    """The channel of that name or id. Raises NotFound."""
    row = await store.find_channel(session, name_or_id)
    if row is None:
        raise no_such("alert channel", name_or_id, [channel.name for channel in await store.channels(session)])
    return row


def view(row: AlertChannel) -> ChannelView:
    return ChannelView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        address=row.address,
        is_private_allowed=row.is_private_allowed,
        min_severity=Severity(row.min_severity),
        disabled_why=row.disabled_why,
        is_disabled=row.disabled_us is not None,
        delivered_us=row.delivered_us,
        created_us=row.created_us,
    )


def _told(row: AlertChannel) -> dict[str, object]:
    """What the audit log is told of a channel. A query may be what lets the caller in, so it stays out."""
    return {"name": row.name, "kind": row.kind, "address": row.address.partition("?")[0]}


async def _insert(session: AsyncSession, row: AlertChannel) -> None:
    try:
        await add_unique(session, row)
    except Taken:
        message = f"There is already a channel called '{shown(row.name)}'. Choose another name."
        raise Unprocessable(message, code="name_taken", param="name") from None
