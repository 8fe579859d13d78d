"""Showing a key again: to the one person it was made by, who has just said their password again, and not often.

Every look is a row, so the counts hold over all nodes and restarts. Fails closed: without the database, or with a
sealed vault, nothing is shown.
"""

from dataclasses import dataclass

from aiservice.errors import NotFound, PermissionDenied, RateLimited, Unprocessable
from aiservice.kit.clock import DAY_US, HOUR_US, SECOND_US, now_us
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.audit_entry import record
from aiservice.services.keys import Keys
from aiservice.services.managed_keys import managed_key
from aiservice.services.rights import needs
from aiservice.services.step_up import require_password_said
from aiservice.store import keys as key_store
from aiservice.store import reveals as store
from aiservice.store.cluster import take_turn
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import KeyReveal, KeySecret

PER_PERSON, PER_PERSON_US = 5, HOUR_US
IN_ALL, IN_ALL_US = 20, DAY_US


@dataclass(slots=True, frozen=True)
class Revealed:
    """A key that was shown again. `client` is the client's name."""

    id: str
    client: str
    name: str
    key: Secret


class KeyReveals:
    """Opens sealed copies for their owners."""

    def __init__(self, db: Database, keys: Keys, alerts: AlertNotes) -> None:
        self._db = db
        self._keys = keys
        self._alerts = alerts

    @needs("key.reveal")
    async def reveal(self, actor: Person, key_id: str) -> Revealed:
        """The newest secret of a key that can be shown again.

        Raises:
            Unprocessable: keys are shown once here (`key_retrieval_off`).
            NotFound: no such key, it is not the actor's, or it was shown once (`shown_once`).
            PermissionDenied: somebody else made it (`not_your_copy`), or the actor has not said their password again
                within five minutes (`step_up_required`).
            RateLimited: five in an hour by one person, or twenty in a day by all (`reveal_limited`).
            Overloaded: the vault is sealed, or the copy was changed.
        """
        if self._keys.policy.retrieval == "off":
            raise Unprocessable("Keys are shown once here. Roll the key to get a new secret.", code="key_retrieval_off")
        now = now_us()
        async with self._db.write() as session:
            key, client = await managed_key(session, actor, key_id, "key.get")
            secret = _copied(await key_store.live_secrets(session, [key.id], now), key.expires_us, now)
            if secret is None:
                raise NotFound(
                    "This key was shown once. Roll it to get a new secret; the old one keeps working for 24 hours.",
                    code="shown_once",
                )
            if secret.copy_owner_id != actor.user_id:
                raise PermissionDenied("Only the person who made this key can see it again.", code="not_your_copy")
            await require_password_said(session, actor, is_sign_in_enough=False)
            await take_turn(session)  # two looks at once must not both be the last one allowed
            await _require_room(session, actor, now)
            text = await self._keys.copies.open(session, key, secret)
            record(session, actor, "key.reveal", key.id, after={"public_id": secret.public_id})
            session.add(KeyReveal(user_id=actor.user_id, key_id=key.id, public_id=secret.public_id, at_us=now))
        self._alerts.note(
            "key_revealed",
            key.id,
            f"{actor.email} looked at the secret of the key '{key.name}' of {client.name} again.",
            severity=Severity.INFO,
            client_id=client.id,
            evidence={"public_id": secret.public_id, "by": actor.email},
            ends_after_seconds=DAY_US / SECOND_US,
        )
        return Revealed(key.id, client.name, key.name, text)

    async def purge(self) -> None:
        """Forgets looks that count for nothing any more; for a job."""
        async with self._db.write() as session:
            await store.delete_before(session, now_us() - IN_ALL_US)


def _copied(live: list[KeySecret], ends_us: int | None, now: int) -> KeySecret | None:
    if ends_us is not None and ends_us <= now:
        return None
    return next((secret for secret in reversed(live) if secret.copy_owner_id is not None), None)


async def _require_room(session: AsyncSession, actor: Person, now: int) -> None:
    rules = ((actor.user_id, PER_PERSON, PER_PERSON_US), (None, IN_ALL, IN_ALL_US))
    for user_id, most, window_us in rules:
        times = await store.times(session, user_id, now - window_us)
        if len(times) >= most:
            free_us = times[len(times) - most] + window_us - now
            whose, window = ("You have", "hour") if user_id else ("People here have", "day")
            raise RateLimited(
                f"{whose} looked at keys {most} times in the last {window}. Wait, or roll the key.",
                code="reveal_limited",
                retry_after=max(1.0, round(free_us / SECOND_US)),
            )
