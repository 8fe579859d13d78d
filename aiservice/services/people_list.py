"""People in pages, and invitations that are still open. A link itself is shown once, where it is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiservice.errors import NotFound
from aiservice.kit.clock import now_us
from aiservice.principal import Person, Role
from aiservice.services.audit_entry import record
from aiservice.services.emails import checked_email
from aiservice.services.rights import needs
from aiservice.store import factors
from aiservice.store import people_list as store
from aiservice.store.session import Database

PAGE_ROWS = 50
_MOST_INVITATIONS = 200
_MAX_WORDS = 200


@dataclass(slots=True, frozen=True)
class PersonLine:
    """An account as an admin sees it. Times are µs UTC; `last_seen_us` 0: not lately."""

    user_id: str
    email: str
    role: Role
    is_disabled: bool
    created_us: int
    last_seen_us: int
    sessions: int
    clients: int
    has_second_factor: bool


@dataclass(slots=True, frozen=True)
class Invitation:
    """A link that somebody may still use. Times are µs UTC."""

    email: str
    role: Role
    created_us: int
    expires_us: int


@dataclass(slots=True, frozen=True)
class PeoplePage:
    """`following` is the place of the next page, "" at the end; `total` counts all that were asked for."""

    lines: Sequence[PersonLine]
    following: str
    total: int


@dataclass(slots=True, frozen=True)
class Asked:
    """What the list is narrowed to: `containing` in the address, a role, a state ("active", "disabled", "" for all)."""

    containing: str = ""
    role: str = ""
    state: str = ""


class PeopleList:
    """For admins."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @needs("person.list")
    async def page(
        self,
        actor: Person,
        asked: Asked,
        *,
        after: str = "",
        limit: int = PAGE_ROWS,
    ) -> PeoplePage:
        """The people by address, behind the address `after`. Raises: PermissionDenied."""
        is_disabled = {"active": False, "disabled": True}.get(asked.state)
        wanted = store.Wanted(asked.containing.strip()[:_MAX_WORDS], asked.role[:20], is_disabled)
        async with self._db.read() as session:
            rows = list(await store.page(session, wanted, after, limit + 1))
            total = await store.count(session, wanted)
            has_more, rows = len(rows) > limit, rows[:limit]
            ids = [row.id for row in rows]
            seen, clients = await store.last_seen(session, ids), await store.clients_of(session, ids)
            having = await factors.people_with_factor(session)
        lines = []
        for row in rows:
            sessions, last_seen_us = seen.get(row.id, (0, 0))
            lines.append(
                PersonLine(
                    user_id=row.id,
                    email=row.email,
                    role=Role(row.role),
                    is_disabled=row.is_disabled,
                    created_us=row.created_us,
                    last_seen_us=last_seen_us,
                    sessions=sessions,
                    clients=clients.get(row.id, 0),
                    has_second_factor=row.id in having,
                )
            )
        return PeoplePage(lines, lines[-1].email if has_more and lines else "", total)

    @needs("person.list")
    async def invitations(self, actor: Person) -> list[Invitation]:
        """The invitations that can still be used, newest first. Raises: PermissionDenied."""
        async with self._db.read() as session:
            rows = await store.invitations(session, now_us(), _MOST_INVITATIONS)
        return [
            Invitation(row.email or "", Role(row.role or Role.DEVELOPER), row.created_us, row.expires_us)
            for row in rows
        ]

    @needs("person.uninvite")
    async def revoke_invitation(self, actor: Person, email: str) -> None:
        """Makes the invitation of that address worthless at once.

        Raises:
            PermissionDenied. NotFound: there is none that could be used.
        """
        email = checked_email(email)
        async with self._db.write() as session:
            if not await store.revoke(session, email):
                raise NotFound("There is no open invitation of that address.", code="invitation_not_found")
            record(session, actor, "person.uninvite", email)
