"""Every version of stored terms and aliases: who, when, what was before and what after. Nothing is ever altered."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiservice.errors import Conflict, NotFound
from aiservice.kit.clock import now_us
from aiservice.principal import Person
from aiservice.store import routing_versions as store
from aiservice.store.session import AsyncSession
from aiservice.tables import RoutingVersion

Json = dict[str, Any]
Change = tuple[Json | None, Json | None]
Kind = Literal["terms", "alias"]
MAX_SHOWN = 200


@dataclass(slots=True, frozen=True)
class Version:
    """A change as people see it. None in `before` or `after` is "nothing stored"; `reverted_to` is the number of the
    version that this one brought back; `actor` is empty where nobody knows any more."""

    number: int
    kind: Kind
    scope: str
    subject: str
    name: str
    before: Json | None
    after: Json | None
    at_us: int
    actor: str
    reverted_to: int | None


@dataclass(slots=True, frozen=True)
class Place:
    """What a version is of: the terms for a task, or the alias, called `name`, of one subject."""

    kind: Kind
    scope: str
    subject: str
    name: str


async def keep_version(
    session: AsyncSession, actor: Person, place: Place, change: Change, reverted_to: int | None = None
) -> None:
    """Adds the change (before, after) to the unit of work.

    What was stored unseen before it (by an older release, or before there were versions) is kept as a version of its
    own, so that there is always something to go back to.
    """
    before, _ = change
    last = await store.newest(session, place.kind, place.scope, place.subject, place.name)
    if before is not None and (last is None or last.after != before):
        earlier = None if last is None else last.after
        session.add(_row(place, (earlier, before), ("", "")))
        await session.flush()  # its number comes first
    session.add(_row(place, change, (actor.user_id, actor.email), reverted_to))


async def check_unchanged(session: AsyncSession, place: Place, number: int) -> None:
    """Raises `Conflict` where there is a newer version than `number`; 0 is none."""
    last = await store.newest(session, place.kind, place.scope, place.subject, place.name)
    if (0 if last is None else last.id) != number:
        who = "" if last is None or not last.actor else f" by {last.actor}"
        raise Conflict(
            f"These preferences were changed{who} meanwhile. Look at them as they are now, and make your change again.",
            code="changed_meanwhile",
        )


async def versions_of(
    session: AsyncSession, scope: str, subject: str, kind: Kind, name: str | None
) -> Sequence[Version]:
    """The newest 200 changes, newest first; of one name, or of all."""
    return [
        version_of(row) for row in await store.listed(session, scope, subject, kind=kind, name=name, limit=MAX_SHOWN)
    ]


async def version(session: AsyncSession, number: int, kind: Kind) -> Version:
    """One change.

    Raises:
        NotFound: there is no change of this kind with that number.
    """
    row = await store.one(session, number) if 0 < number < 2**63 else None
    if row is None or row.kind != kind:
        raise no_such_version(number)
    return version_of(row)


@contextmanager
def hidden_version(number: int) -> Iterator[None]:
    """A version of what is somebody else's is told as one that does not exist: its number is easily guessed, and the
    id of whose it is would not be."""
    try:
        yield
    except NotFound:
        raise no_such_version(number) from None


def no_such_version(number: int) -> NotFound:
    return NotFound(f"There is no version {number}. The history lists those there are.", code="version_not_found")


def version_of(row: RoutingVersion) -> Version:
    kind: Kind = "alias" if row.kind == "alias" else "terms"
    place = (row.id or 0, kind, row.scope, row.subject, row.name)
    return Version(*place, row.before, row.after, row.at_us, row.actor, row.reverted_to)


def _row(place: Place, change: Change, actor: tuple[str, str], reverted_to: int | None = None) -> RoutingVersion:
    return RoutingVersion(
        kind=place.kind,
        scope=place.scope,
        subject=place.subject,
        name=place.name,
        before=change[0],
        after=change[1],
        at_us=now_us(),
        actor_id=actor[0],
        actor=actor[1],
        reverted_to=reverted_to,
    )
