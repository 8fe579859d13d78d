"""The state of open pages: in the memory of the worker that has the page's socket, with sealed copies in Redis.

Reflex's own manager for Redis keeps bare pickles there, holds locks over the network and waits for a Redis that hangs.
A page needs none of that: its socket stays with one worker, and only when it comes back to another one (a worker died,
a connection broke) is the copy read. Without Redis, or without a copy, the page loads its data again.
"""

import asyncio
import logging
import pickle
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Self

import reflex as rx
from reflex.istate.manager import StateModificationContext
from reflex.istate.manager.memory import StateManagerMemory, _ModifyState
from reflex.istate.manager.token import BaseStateToken, StateToken
from reflex.state import BaseState
from reflex_base.utils.exceptions import StateSchemaMismatchError
from typing_extensions import Unpack

from aiservice.services.page_copies import PageCopies

_COPY_SECONDS = 0.25
_AWAY_SECONDS = 60.0  # a page without a socket is waited for, where there is no copy of it
_MAX_COPY_BYTES = 1 << 20

log = logging.getLogger(__name__)


class PageStates(StateManagerMemory):
    """Reflex's state manager. Made with the app, before there is a loop; `kept_by` begins in the worker."""

    def __init__(self) -> None:
        super().__init__()
        self._copies: PageCopies | None = None
        self._changed: dict[str, BaseStateToken] = {}
        self._wake = asyncio.Event()

    @classmethod
    def new(cls) -> Self:
        """One of them. Reflex deprecates methods in a way that makes a type checker take them for abstract ones."""
        return cls()

    def serve(self, app: rx.App) -> None:
        """Takes over the states of `app`, and lets go of a page's when its socket closes."""
        app._state_manager = self
        namespace = app.event_namespace
        if namespace is None or app._state is None:
            raise RuntimeError("the app has no state")
        root, close = app._state, namespace.on_disconnect

        def on_disconnect(sid: str) -> Any:
            page = namespace.sid_to_token.get(sid)
            if page is not None:
                self._note_left(BaseStateToken(ident=page, cls=root))
            return close(sid)

        self._is_open = lambda page: page in namespace.token_to_sid
        namespace.on_disconnect = on_disconnect  # type: ignore[method-assign]

    @asynccontextmanager
    async def kept_by(self, copies: PageCopies | None) -> AsyncIterator[None]:
        """Keeps copies meanwhile, and leaves the newest ones behind."""
        if copies is None:
            yield
            return
        self._copies = copies
        task = asyncio.create_task(self._copy_on(), name="page-copies")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._copy_changed()
            self._copies = None

    def modify_state(  # type: ignore[override]
        self, token: StateToken[Any], **context: Unpack[StateModificationContext]
    ) -> AbstractAsyncContextManager[Any]:
        """As Reflex's; a page that this worker does not know is looked for among the copies first."""
        return _Modify(self, token)

    def note_change(self, token: BaseStateToken) -> None:
        """A copy of this page is to be made, soon."""
        if self._copies is not None:
            self._changed[token.cache_key] = token
            self._wake.set()

    def _note_left(self, token: BaseStateToken) -> None:
        """A page's socket closes. Reflex would keep what it showed for an hour, for each tab that was shut."""
        if self._copies is not None:
            self.note_change(token)
        else:
            asyncio.get_running_loop().call_later(_AWAY_SECONDS, self._let_go, token)

    def _let_go(self, token: BaseStateToken) -> None:
        lock = self._states_locks.get(token.lock_key)
        if not self._is_open(token.cache_key) and (lock is None or not lock.locked()):  # type: ignore[no-untyped-call]
            self._purge_token(token)

    async def recall(self, token: BaseStateToken) -> None:
        """Takes a page's state from its copy, where there is one; under the page's lock."""
        copy = await self._copies.get(token.cache_key) if self._copies is not None else None
        if copy is not None:
            root = _restored(token.cls.get_root_state(), copy)
            if root is not None:
                self.states[token.cache_key] = root

    async def _copy_on(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_COPY_SECONDS)
            self._wake.clear()
            try:
                await self._copy_changed()
            except Exception:
                log.exception("Copies of page states could not be made.")

    async def _copy_changed(self) -> None:
        changed, self._changed = self._changed, {}
        for page, token in changed.items():
            lock = await self._get_state_lock(token)
            async with lock:
                state = self.states.get(page)
                copy = _copied(state) if state is not None else None
            is_kept = copy is not None and self._copies is not None and await self._copies.put(page, copy)
            # Its socket is gone: the page comes back here or elsewhere, or never.
            if is_kept and not self._is_open(page) and page not in self._changed and not lock.locked():  # type: ignore[no-untyped-call]
                self._purge_token(token)


class _Modify(_ModifyState[Any]):
    async def __aenter__(self) -> Any:
        manager = self._manager
        token = self._token = manager._coerce_token(self._token)
        lock = self._lock = await manager._get_state_lock(token)
        await lock.acquire()
        try:
            if (
                isinstance(manager, PageStates)
                and isinstance(token, BaseStateToken)
                and token.cache_key not in manager.states
            ):
                await manager.recall(token)
            state = manager._get_or_create_state(token)
            manager._track_token(token)
        except BaseException:
            lock.release()
            raise
        return state

    async def __aexit__(self, *exc_info: object) -> None:
        await super().__aexit__(*exc_info)  # type: ignore[no-untyped-call]
        if isinstance(self._manager, PageStates) and isinstance(self._token, BaseStateToken):
            self._manager.note_change(self._token)


def _copied(root: BaseState) -> bytes | None:
    """The whole tree as bytes; None where something in it cannot be kept, or it is far too large."""
    try:
        copy = pickle.dumps([state._serialize() for state in _tree(root)])
    except Exception:
        log.exception("A page's state cannot be copied.")
        return None
    return copy if len(copy) <= _MAX_COPY_BYTES else None


def _restored(root_class: type[BaseState], copy: bytes) -> BaseState | None:
    """A tree from its copy; states that a newer release has changed begin anew."""
    root = root_class(_reflex_internal_init=True)
    places = {state.get_full_name(): state for state in _tree(root)}
    for part in pickle.loads(copy):  # noqa: S301 - sealed by us
        with suppress(StateSchemaMismatchError):
            state = BaseState._deserialize(data=part)
            old = places.get(state.get_full_name())
            if old is None:
                continue
            state.substates, state.parent_state = old.substates, old.parent_state
            for child in state.substates.values():
                child.parent_state = state
            if state.parent_state is None:
                root = state
            else:
                state.parent_state.substates[state.get_name()] = state
            places[state.get_full_name()] = state
    return root


def _tree(root: BaseState) -> list[BaseState]:
    found = [root]
    for state in found:
        found.extend(state.substates.values())
    return found
