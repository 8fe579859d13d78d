"""Live pages: one task per process looks once a second whether somebody's figures have changed, gathers what is new
once a person, and pushes it to all of that person's open pages; another ends the sockets of sessions that have ended.

A push is no use of a session: it neither keeps one alive nor goes to a socket whose session is no longer valid. A tab
that is out of sight is told nothing until it is looked at again.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import reflex as rx
from reflex.state import StateUpdate
from reflex_base.event import Event

from aiservice.kit.loop_share import LoopShare
from aiservice.portal.session.cookie import read_session_cookie
from aiservice.portal.session.guard import SESSION_ENDED, acting_as, handler
from aiservice.portal.session.pushes import Place, push
from aiservice.principal import Person, Role
from aiservice.services.core import Core, current_core
from aiservice.services.request_log import LogFilter
from aiservice.services.rights import Reach, may
from aiservice.services.sessions import hash_of

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
SESSION_CHECK_SECONDS = 3.0
_MOST_MARKS = 10_000  # people whose place in the log is remembered while no tab of theirs is looked at
REFRESH_SECONDS = 30.0  # also without news, so that a 24-hour window moves on
_REST = 19.0  # times as long as gathering took, the same is not gathered again: databases have other work
_SHARE = 0.12  # of what the gateway leaves of the event loop's time is for all live pages together
T = TypeVar("T")
Gather = Callable[[], Coroutine[Any, Any, Any]]
Show = Callable[[Any, Any], None]
Shared = tuple[str, Role, Gather]  # what is gathered alike: for whom, as what, and how


@dataclass(slots=True)
class _Watcher:
    """An open page that wants news: `mark` is what it was last shown. `gather` is what all pages of a person share."""

    place: Place
    gather: Gather
    show: Show
    mark: int = -1
    refreshed_at: float = 0.0
    is_hidden: bool = False


@dataclass(slots=True, frozen=True)
class _Mark:
    """Up to which request somebody's news were looked for, and the one at which there last were any."""

    seen: int
    changed_at: int


_watchers: dict[str, _Watcher] = {}


def watch(state: rx.State, gather: Gather, show: Show) -> None:
    """Calls `gather()` whenever one of the signed-in person's requests has been settled, once for all of their pages
    that gather the same, and `show(state, gathered)` for each.

    To be called by the page's load handler; it ends when the person goes to another page or the tab is closed.
    """
    place = Place.of(state)
    before = _watchers.get(place.token)
    is_hidden = before is not None and before.is_hidden
    _watchers[place.token] = _Watcher(place, gather, show, refreshed_at=time.monotonic(), is_hidden=is_hidden)


def unwatch(state: rx.State) -> None:
    """Ends what `watch` began for the page."""
    _watchers.pop(state.router.session.client_token, None)


def put(state: rx.State, **values: Any) -> None:
    """Sets those variables of a page that differ: what is set is sent again, lists whole."""
    for name, value in values.items():
        if getattr(state, name) != value:
            setattr(state, name, value)


def _forget(watcher: _Watcher) -> None:
    """Lets go of a page that was left; the one that its tab has gone on to, while we looked, is another watcher."""
    if _watchers.get(watcher.place.token) is watcher:
        del _watchers[watcher.place.token]


class SightState(rx.State):
    """What the browser says of its tab."""

    @handler("usage.get")
    async def seen(self, is_visible: bool) -> None:
        """A tab has come into sight, or out of it. The next round shows it what it has missed."""
        watcher = _watchers.get(self.router.session.client_token)
        if watcher is not None:
            watcher.is_hidden = not is_visible


class LivePages:
    """The task. `run` is a lifespan task of the app whose pages it serves."""

    def __init__(self, app: rx.App) -> None:
        self._app = app
        self._was_valid: dict[str, str] = {}  # socket id → the session hash it was seen valid with
        self._marks: dict[str, _Mark] = {}
        self._rests: dict[Shared, float] = {}  # until when it is not gathered again
        self._share = LoopShare(_SHARE)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._every(TICK_SECONDS, self._tick), name="live-pages"),
            asyncio.create_task(self._every(SESSION_CHECK_SECONDS, self._drop_ended), name="ended-sessions"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            _watchers.clear()

    async def _every(self, seconds: float, what: Callable[[Core], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await what(current_core())
            except Exception:
                log.exception("live pages: this round failed")

    async def _tick(self, core: Core) -> None:
        open_tokens = set(self._sockets().values())
        for token in [token for token in _watchers if token not in open_tokens]:
            del _watchers[token]
        awake: dict[str, list[_Watcher]] = {}
        for watcher in _watchers.values():
            if not watcher.is_hidden:
                awake.setdefault(watcher.place.session_hash, []).append(watcher)
        if not awake:
            return
        newest = await core.requests.newest_id()
        marks: dict[str, _Mark] = {}
        gathered: dict[Shared, Any] = {}
        for session_hash, tabs in awake.items():
            # Looked at when its turn comes: with many tabs a round takes seconds.
            person = await self._share.run(core.accounts.peek(session_hash))
            if person is not None and person.user_id not in marks:
                looking = _mark_of(core, person, self._marks.get(person.user_id), newest)
                marks[person.user_id] = await self._share.run(looking)
            for watcher in tabs:
                if person is None:
                    _forget(watcher)
                    continue
                try:
                    await self._push_news(core, watcher, person, marks[person.user_id].changed_at, gathered)
                except Exception:  # one page's failure is not the others'; it is tried again in the next round
                    log.exception("live pages: a page was not told what is new")
        self._marks = {**self._marks, **marks} if len(self._marks) < _MOST_MARKS else marks
        self._rests = {shared: until for shared, until in self._rests.items() if until > time.monotonic()}

    async def _push_news(
        self, core: Core, watcher: _Watcher, person: Person, mark: int, gathered: dict[Shared, Any]
    ) -> None:
        looked_at = time.monotonic()
        is_due = looked_at - watcher.refreshed_at >= REFRESH_SECONDS
        shared = (person.user_id, person.role, watcher.gather)
        # What is gathered in this round already is told to all.
        rests_until = 0.0 if shared in gathered else self._rests.get(shared, 0.0)
        if (mark == watcher.mark and not is_due) or looked_at < rests_until:
            return
        if shared not in gathered:
            with acting_as(person):
                gathered[shared], self._rests[shared] = await self._timed(watcher.gather())
        if await core.accounts.peek(watcher.place.session_hash) != person:
            return  # gathering may take seconds: they have signed out, or may see something else now
        pushing = push(self._app, watcher.place, lambda state: watcher.show(state, gathered[shared]))
        if not await self._share.run(pushing):
            _forget(watcher)
        watcher.mark, watcher.refreshed_at = mark, looked_at

    async def _timed(self, gathering: Coroutine[Any, Any, T]) -> tuple[T, float]:
        """What it gives, and until when the same is to rest: what takes a twentieth of the time at most holds nobody
        up. A round is waited for anyway, and the loop's rests are no part of what it takes."""
        began, rested = time.monotonic(), self._share.rested
        answer = await self._share.run(gathering, is_spread=True)
        now = time.monotonic()
        took = now - began - (self._share.rested - rested)
        return answer, now + _REST * took - TICK_SECONDS

    async def _drop_ended(self, core: Core) -> None:
        """Closes sockets that were opened in a session which has ended since."""
        namespace = self._app.event_namespace
        sockets = self._sockets()
        for sid in [sid for sid in self._was_valid if sid not in sockets]:
            del self._was_valid[sid]
        if namespace is None:
            return
        is_valid: dict[str, bool] = {}  # many tabs have one session
        for sid, token in sockets.items():
            data = namespace._static_router_data.get(sid)
            cookie = read_session_cookie(data["headers"].get("cookie", "")) if data else None
            if cookie is None:
                continue
            session_hash = hash_of(cookie)
            if session_hash not in is_valid:
                is_valid[session_hash] = await core.accounts.peek(session_hash) is not None
            if is_valid[session_hash]:
                self._was_valid[sid] = session_hash
            elif sid in self._was_valid:
                await self._end_socket(sid, token)

    async def _end_socket(self, sid: str, token: str) -> None:
        namespace, sio = self._app.event_namespace, self._app.sio
        if namespace is None or sio is None:
            return
        farewell = StateUpdate(events=Event.from_event_type(rx.redirect(SESSION_ENDED)))
        await namespace.emit_update(farewell, token)
        await sio.disconnect(sid, namespace=namespace.namespace)
        self._was_valid.pop(sid, None)
        _watchers.pop(token, None)

    def _sockets(self) -> dict[str, str]:
        """Client token by socket id, of the sockets open in this process."""
        namespace = self._app.event_namespace
        return dict(namespace.sid_to_token) if namespace is not None else {}


async def _mark_of(core: Core, person: Person, last: _Mark | None, newest: int) -> _Mark:
    """Where news for the person begin: only what was settled since the last look is looked at."""
    if last is None or may(person, "request.list", Reach.ANYONE):
        return _Mark(newest, newest)
    if newest == last.seen or not await core.requests.settled_after(person, LogFilter(), last.seen):
        return _Mark(newest, last.changed_at)
    return _Mark(newest, newest)
