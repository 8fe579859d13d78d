"""What a draft of terms would do: to one request with its reasons, and to the requests of the last hour.

Nothing is sent anywhere. The router decides as it would for a call; what a request's own body asked for besides its
model and task is not kept, so that is not known here.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from aiservice.dialects._base import ClientRequest
from aiservice.errors import BrokerError
from aiservice.kit.clock import HOUR_US, now_us
from aiservice.principal import Person, Principal
from aiservice.services.aliases import Aliases
from aiservice.services.connection_views import ConnectionView
from aiservice.services.preference_rules import ANY_TASK, check_task, check_terms
from aiservice.services.preferences import Preferences
from aiservice.services.rights import needs
from aiservice.services.routing import Router, follow
from aiservice.services.routing_decision import Decision, decide
from aiservice.services.routing_scopes import Holder, Scope, holder_of
from aiservice.services.routing_terms import Terms
from aiservice.store import trials as store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.trials import Asked
from aiservice.tables import Client, ClientKey, Team
from aiservice.tasks import registry
from aiservice.wire import Ask

MAX_REQUESTS = 2_000
_SLICE = 20  # decisions between two turns of the event loop: about 2 ms
_NOBODY = "draft"

Snapshot = tuple[ConnectionView, ...]
Place = tuple[str, str]


@dataclass(slots=True, frozen=True)
class Draft:
    """Terms that are not stored, where they would be; None for none."""

    scope: Scope
    task: str
    terms: Terms | None


@dataclass(slots=True, frozen=True)
class Changed:
    """A request that would go elsewhere; a place is "connection/model", or why there is none."""

    request_id: str
    client: str
    task: str
    model: str
    started_us: int
    before: str
    after: str


@dataclass(slots=True, frozen=True)
class Trial:
    """What a draft would have done. `places` counts the changed requests by where they would have gone, most first;
    `is_whole`: these are all of the hour; `unknown` had a key that is gone."""

    requests: int
    changed: tuple[Changed, ...]
    places: tuple[tuple[str, int], ...]
    refused: int
    unknown: int
    is_whole: bool

    @property
    def words(self) -> str:
        """`Would have changed 14 of 210 requests: 9 to anthropic, 5 to eu-azure`."""
        if not self.requests:
            return "There was no request in the last hour to try this on"
        if not self.changed:
            return f"Would have changed none of {self.requests:,} requests"
        where = ", ".join(f"{count:,} to {place}" for place, count in self.places)
        refused = f"{', ' if where else ''}{self.refused:,} to nowhere" if self.refused else ""
        return f"Would have changed {len(self.changed):,} of {self.requests:,} requests: {where}{refused}"


class PreferenceTrial:
    """Tries drafts, for those who may store them."""

    def __init__(
        self,
        db: Database,
        preferences: Preferences,
        aliases: Aliases,
        snapshot: Callable[[], Snapshot],
        router: Callable[[], Router] = Router,
    ) -> None:
        """`router` makes one that knows what the gateway's does, and whose turns are its own."""
        self._db = db
        self._stored = preferences.stored
        self._aliases = aliases
        self._snapshot = snapshot
        self._router = router

    @needs("preference.try")
    async def dry_run(self, actor: Person, draft: Draft, model: str | None = None) -> Decision:
        """Where a request for the draft's task (for any: a chat) would go now, with the reasons.

        Raises:
            NotFound, PermissionDenied, Unprocessable: as storing the draft would.
        """
        async with self._db.read() as session:
            holder = await self._checked(session, actor, draft)
            caller = await _caller_of(session, holder)
        task = "chat" if draft.task == ANY_TASK else draft.task
        stored = self._terms(caller, task, (holder.id, draft.task, draft.terms))
        return self._decide(self._router(), caller, task, model, stored)

    @needs("preference.try")
    async def on_last_hour(self, actor: Person, draft: Draft) -> Trial:
        """What the draft would have done to the newest 2 000 requests of the last hour; the loop goes on meanwhile.

        Raises:
            NotFound, PermissionDenied, Unprocessable: as storing the draft would.
        """
        async with self._db.read() as session:
            holder = await self._checked(session, actor, draft)
            task = None if draft.task == ANY_TASK else draft.task
            whose, since_us = (holder.kind, holder.id), now_us() - HOUR_US
            asked = await store.newest(session, whose, task, since_us=since_us, limit=MAX_REQUESTS + 1)
            keys = await store.callers(session, {each.key_id for each in asked})
        callers = {key.id: _principal(key, client, team) for key, client, team in keys}
        known = [each for each in asked[:MAX_REQUESTS] if each.key_id in callers and each.task in registry()]
        moves = await self._moves(known, callers, (holder.id, draft.task, draft.terms))
        moved = [(each, *moves[_kind(each)]) for each in known if moves[_kind(each)][0] != moves[_kind(each)][1]]
        places = Counter(then[0] for _, _, then in moved if then is not None)
        return Trial(
            requests=len(known),
            changed=tuple(_changed(*one) for one in moved),
            places=tuple(places.most_common()),
            refused=len(moved) - places.total(),
            unknown=len(asked[:MAX_REQUESTS]) - len(known),
            is_whole=len(asked) <= MAX_REQUESTS,
        )

    async def _checked(self, session: AsyncSession, actor: Person, draft: Draft) -> Holder:
        check_task(draft.task)
        holder = await holder_of(session, actor, draft.scope, "preference.try")
        if draft.terms is not None:
            await check_terms(session, holder, draft.terms)
        return holder

    async def _moves(
        self, asked: list[Asked], callers: dict[str, Principal], draft: tuple[str, str, Terms | None]
    ) -> dict[tuple[str, str, str], tuple[Place | None, Place | None]]:
        """Where each kind of request goes first, as it is and with the draft."""
        before, after = self._router(), self._router()
        moves: dict[tuple[str, str, str], tuple[Place | None, Place | None]] = {}
        for number, (key_id, task, model) in enumerate(dict.fromkeys(_kind(each) for each in asked), start=1):
            caller, wanted = callers[key_id], model or None
            now = self._first(before, caller, task, wanted, self._terms(caller, task))
            then = self._first(after, caller, task, wanted, self._terms(caller, task, draft))
            moves[key_id, task, model] = (now, then)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        return moves

    def _terms(self, caller: Principal, task: str, draft: tuple[str, str, Terms | None] | None = None) -> Terms | None:
        return self._stored.merged((caller.key_id, caller.client_id, caller.team_id), task, draft)

    def _first(
        self, router: Router, caller: Principal, task: str, model: str | None, stored: Terms | None
    ) -> Place | None:
        request = ClientRequest(Ask(task, registry()[task].kind, {}), _model_of(model))
        try:
            if (route := self._aliases.resolve(caller, request.model)) is not None:
                follow(route, request)
            first = router.candidates(caller, request, stored, self._snapshot())[0]
        except BrokerError:
            return None
        return (first.connection.name, first.model)

    def _decide(
        self, router: Router, caller: Principal, task: str, model: str | None, stored: Terms | None
    ) -> Decision:
        request = ClientRequest(Ask(task, registry()[task].kind, {}), _model_of(model))
        try:
            if (route := self._aliases.resolve(caller, request.model)) is not None:
                follow(route, request)
        except BrokerError as error:
            return Decision((), (), error)
        return decide(router, caller, request, stored, self._snapshot())


def _model_of(model: str | None) -> str | None:
    return None if model in (None, "", "auto") else model


def _kind(asked: Asked) -> tuple[str, str, str]:
    """Requests of one kind go the same way."""
    return (asked.key_id, asked.task, asked.requested_model)


def _changed(asked: Asked, before: Place | None, after: Place | None) -> Changed:
    told = (asked.request_id, asked.client, asked.task, asked.requested_model or "auto", asked.started_us)
    return Changed(*told, _words(before), _words(after))


def _words(place: Place | None) -> str:
    return "nowhere" if place is None else "/".join(place)


async def _caller_of(session: AsyncSession, holder: Holder) -> Principal:
    """Somebody for whom the holder's terms hold: the key itself, or a key of the client or team without bounds of its
    own."""
    if holder.kind == "key":
        ((key, client, team),) = await store.callers(session, [holder.id])
        return _principal(key, client, team)
    if holder.kind == "client":
        found = await store.client_and_team(session, holder.id)
        return _principal(None, *found) if found is not None else _principal(None, None, None)
    return _principal(None, None, await store.team(session, holder.id) if holder.kind == "team" else None)


def _principal(key: ClientKey | None, client: Client | None, team: Team | None) -> Principal:
    """What a caller may use: no more than each of the three allows."""
    holders = [each for each in (key, client, team) if each is not None]
    return Principal(
        client_id=client.id if client is not None else _NOBODY,
        client_name=client.name if client is not None else _NOBODY,
        key_id=key.id if key is not None else _NOBODY,
        public_id=_NOBODY,
        connections=_all_of([each.allowed_connections for each in holders]),
        models=_all_of([each.allowed_models for each in holders]),
        is_test=key is not None and key.is_test,
        team_id=team.id if team is not None else None,
    )


def _all_of(allowed: list[list[str] | None]) -> frozenset[str] | None:
    sets = [frozenset(names) for names in allowed if names is not None]
    return frozenset.intersection(*sets) if sets else None
