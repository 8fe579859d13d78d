"""Keys that were found in public: who reports them proves to be the scanner, and a key of ours is revoked at once.

Where the policy is to notify, the key goes on and people are told. A report that comes again changes nothing. Fails
closed: a report that cannot be checked or written down is an error, and the scanner sends it again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aiservice.errors import NotFound, Unauthenticated
from aiservice.kit.clock import now_us
from aiservice.kit.keyformat import parse
from aiservice.kit.logs import one_line
from aiservice.kit.scanner_keys import BadSignature, ScannerKeys
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.key_standing import Refusal, judge, key_digest, too_many_failures
from aiservice.services.keys import Keys
from aiservice.services.vault import PEPPER_VERSION, Vault
from aiservice.settings import PREFIX, Settings, SettingsError
from aiservice.store import keys as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Client, ClientKey


class Report(NamedTuple):
    """A text that may be a key, and where it was found."""

    token: str
    url: str = ""
    source: str = ""


@dataclass(slots=True, frozen=True)
class Leak:
    """A key of ours that was reported. `is_revoked`: the secret that was found is refused now."""

    key_id: str
    name: str
    client: str
    is_revoked: bool
    is_decoy: bool = False


class Leaks:
    """Takes reports of leaked keys."""

    def __init__(
        self, db: Database, vault: Vault, changes: ChangeFeed, keys: Keys, alerts: AlertNotes, *, revokes: bool
    ) -> None:
        self._db = db
        self._vault = vault
        self._changes = changes
        self._keys = keys
        self._alerts = alerts
        self._revokes = revokes
        self._scanner: ScannerKeys | None = None

    async def open(self, settings: Settings) -> None:
        """Reads the scanner's public keys, where there are any.

        Raises:
            SettingsError: the file is not there, or not what it should be.
        """
        if settings.leak_scanner_keys is not None:
            self._scanner = await asyncio.to_thread(_read, settings.leak_scanner_keys)

    def authenticate(self, identifier: str, signature: str, body: bytes, *, address: str) -> None:
        """Raises, unless the scanner has signed exactly `body`.

        Raises:
            NotFound: no scanner is set up here.
            Unauthenticated: by a key that is not current, or not signed by it (`bad_signature`).
            RateLimited: too many such from this address.
        """
        if self._scanner is None:
            raise NotFound("No secret scanner is set up here (AISERVICE_LEAK_SCANNER_KEYS).", code="no_scanner")
        wait_seconds = self._keys.failures.wait_seconds(address)
        if wait_seconds > 0:
            raise too_many_failures(wait_seconds)
        try:
            self._scanner.check(identifier, signature, body)
        except BadSignature:
            self._keys.failures.record(address)
            raise Unauthenticated(
                "The report is not signed by a current key of the scanner that is set up here.", code="bad_signature"
            ) from None

    async def report(self, reports: Sequence[Report]) -> list[Leak | None]:
        """What each text turned out to be: a key of ours, or None.

        Raises:
            Overloaded: the vault is sealed.
            DATABASE_ERRORS: nothing can be written; reports before that are done.
        """
        found = [await self._take(report) for report in reports]
        await self._changes.catch_up()
        return found

    async def _take(self, report: Report) -> Leak | None:
        public_id = parse(report.token)
        if public_id is None:
            return None
        digest = key_digest(self._vault.pepper(PEPPER_VERSION), report.token.encode())
        row = await store.credential(self._db, public_id)
        if judge(row, digest, self._keys.policy) is Refusal.UNKNOWN:
            return None
        async with self._db.write() as session:
            pair = await store.key(session, row.key_id, to_change=True)
            if pair is None:
                return None
            key, client = pair
            is_news = await self._mark(session, key, public_id)
            is_live = any(
                secret.public_id == public_id for secret in await store.live_secrets(session, [key.id], now_us())
            )
            if is_news:
                found = {"leaked": public_id, "url": report.url, "source": report.source, "works": is_live}
                record(session, "scanner", "key.leaked", key.id, after=found)
            leak = Leak(key.id, key.name, client.name, is_revoked=not is_live, is_decoy=key.is_decoy)
        if is_news:
            self._tell(leak, client, public_id, report)
        return leak

    async def _mark(self, session: AsyncSession, key: ClientKey, public_id: str) -> bool:
        """Whether that changed anything."""
        now = now_us()
        if self._revokes and not key.is_decoy:  # a decoy found is doing what it is for
            is_news = await self._keys.endings.end_leaked(session, key, public_id, now)
            if is_news and key.revoked_us is not None:
                key.leaked_us = now
            return is_news
        if key.leaked_us is not None or key.revoked_us is not None:
            return False
        key.leaked_us = now
        self._changes.publish(session, "key", key.id)
        return True

    def _tell(self, leak: Leak, client: Client, public_id: str, report: Report) -> None:
        if leak.is_decoy:
            done = "It is a decoy: somebody has read the place where it was kept."
        else:
            done = "It is revoked." if leak.is_revoked else "It still works: roll it now."
        self._alerts.note(
            "key_leaked",
            leak.key_id,
            f"The key '{leak.name}' of {leak.client} was found in public. {done}",
            severity=Severity.CRITICAL,
            client_id=client.id,
            evidence={
                "public_id": public_id,
                "url": one_line(report.url)[:500],
                "source": one_line(report.source)[:100],
                "revoked": leak.is_revoked,
            },
        )


def _read(path: Path) -> ScannerKeys:
    try:
        return ScannerKeys.read(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{PREFIX}LEAK_SCANNER_KEYS: {path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise SettingsError(f"{PREFIX}LEAK_SCANNER_KEYS: {path}: {error}.") from None
