"""What people set for themselves: the time zone that they see times in, and which alerts come to them by mail.

Every alert is in the portal, whatever is set here; an address that an admin wrote into a channel is nobody's to
silence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypedDict, Unpack, cast
from zoneinfo import available_timezones

from aiservice.errors import NotFound, Unprocessable
from aiservice.principal import Person
from aiservice.services.alert_metrics import EVENTS, METRICS, title_of
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.rights import needs
from aiservice.store import own_settings as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import User

Digest = Literal["never", "daily"]
UTC_NAME = "UTC"


class Edit(TypedDict, total=False):
    """What may be changed. `portal_only` are the kinds of alerts of which no mail comes."""

    time_zone: str
    portal_only: Sequence[str]
    digest: Digest


@dataclass(slots=True, frozen=True)
class OwnSettingsView:
    """A person's settings."""

    time_zone: str
    portal_only: tuple[str, ...]
    digest: Digest


class OwnSettings:
    """Every method takes the `actor` first, whose settings they are."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes

    @needs("account.settings")
    async def get(self, actor: Person) -> OwnSettingsView:
        """Raises: NotFound: the actor is no person with an account."""
        async with self._db.read() as session:
            return _view(await _own(session, actor))

    @needs("account.settings")
    async def set(self, actor: Person, **edit: Unpack[Edit]) -> OwnSettingsView:
        """Changes what is given.

        Raises:
            Unprocessable: no such time zone (`time_zone_unknown`), kind of alert (`alert_kind_unknown`) or digest.
            NotFound: as `get`.
        """
        if "time_zone" in edit and edit["time_zone"] not in time_zones():
            message = f"There is no time zone '{edit['time_zone'][:40]}'. Write it like Europe/Berlin, or UTC."
            raise Unprocessable(message, code="time_zone_unknown", param="time_zone")
        for kind in edit.get("portal_only", ()):
            if kind not in alert_kinds():
                message = f"There is no kind of alert '{kind[:40]}'. There are: {', '.join(alert_kinds())}."
                raise Unprocessable(message, code="alert_kind_unknown", param="portal_only")
        if edit.get("digest", "never") not in ("never", "daily"):
            raise Unprocessable("A digest comes never or daily.", param="digest")
        async with self._db.write() as session:
            row = await _own(session, actor)
            before = _told(_view(row))
            row.time_zone = edit.get("time_zone", row.time_zone)
            if "portal_only" in edit:
                row.portal_only = sorted(set(edit["portal_only"]))
            row.digest = edit.get("digest", row.digest)
            session.add(row)
            after = _told(_view(row))
            if after != before:
                record(session, actor, "account.settings", row.id, before=before, after=after)
                self._changes.publish(session, "person", row.id)
            return _view(row)


def alert_kinds() -> Mapping[str, str]:
    """The kinds of alerts that one may have by mail or not, with their titles: what is measured, and what happens."""
    return {kind: title_of(kind) for kind in (*METRICS, *EVENTS)}


@cache
def time_zones() -> frozenset[str]:
    """The names of the IANA time zones that this machine knows; UTC is always among them."""
    return frozenset({*available_timezones(), UTC_NAME})


async def _own(session: AsyncSession, actor: Person) -> User:
    row = await store.person(session, actor.user_id)
    if row is None:
        raise NotFound("Only a person with an account has settings.", param="user")
    return row


def _view(row: User) -> OwnSettingsView:
    digest = cast(Digest, row.digest if row.digest == "daily" else "never")
    return OwnSettingsView(row.time_zone or UTC_NAME, tuple(row.portal_only or ()), digest)


def _told(view: OwnSettingsView) -> dict[str, object]:
    return {"time_zone": view.time_zone, "portal_only": list(view.portal_only), "digest": view.digest}
