"""The one gate before every portal event: is it one of ours at all, and who is it by?

Reflex lets the browser choose its state token and call every registered handler with any arguments, its own built-in
ones included. So: events outside our handlers and a short list of Reflex's own are refused; the person is looked up
from the cookie in the database on every event; a state filled for another session is emptied first. What a handler then
asks of its caller is `guard`'s.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import reflex as rx
from reflex.state import BaseState, StateUpdate
from reflex_base.event import Event, EventSpec
from reflex_base.registry import RegistrationContext

from aiservice.portal.session.cookie import read_session_cookie
from aiservice.portal.session.guard import GUARD_ATTRIBUTE, Guard, SessionState, become, show_notice
from aiservice.portal.words import form_words
from aiservice.principal import Person
from aiservice.services.audit_entry import CALLER_ADDRESS

log = logging.getLogger(__name__)

Resolve = Callable[[str], Awaitable[Person | None]]
AddressOf = Callable[[str], str]

# Reflex's own handlers that a page needs: they read and set nothing of ours. Not among them: `setvar` and
# `update_vars_internal`, which write state variables by name, and the one that writes what anybody sends to the log.
FRAMEWORK_HANDLERS = frozenset(
    {
        "reflex___state____state.hydrate",
        "reflex___state____state.hydrate_and_load",
        "reflex___state____state.set_is_hydrated",
        "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal",
        "reflex___state____state.reflex___state____on_load_internal_state.set_is_hydrated",
    }
)


class SessionMiddleware(rx.Middleware):
    """Runs before every event, Reflex's own included: admits it, finds the person, empties a foreign state."""

    def __init__(self, resolve: Resolve, address_of: AddressOf) -> None:
        self._resolve = resolve
        self._address_of = address_of

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        if not is_admitted(event.name):
            return StateUpdate()
        cookie = read_session_cookie(state.router_data.get("headers", {}).get("cookie", ""))
        person = await self._resolve(cookie) if cookie else None
        become(person, had_session=bool(cookie))
        CALLER_ADDRESS.set(self._address_of(state.router.session.session_id))
        await _bind(state, person)
        if event.name.endswith(".on_load_internal"):
            await _begin_notice(state)
        return None


async def _bind(state: BaseState, person: Person | None) -> None:
    """Ties the whole state tree to the person's session; one that was filled for another session starts empty."""
    session = await state.get_state(SessionState)
    now = person.session_hash if person else ""
    if session._bound_session != now:
        root = state._get_root_state()
        was_hydrated = root.is_hydrated  # type: ignore[attr-defined]
        root.reset()  # type: ignore[no-untyped-call]
        root.is_hydrated = was_hydrated
        session._bound_session = now
    email = person.email if person else ""
    if session.email != email or session.is_signed_in != (person is not None):
        session.email, session.is_signed_in = email, person is not None
    is_admin = person is not None and person.is_admin
    if session.is_admin != is_admin:
        session.is_admin = is_admin


async def _begin_notice(state: BaseState) -> None:
    """What a page begins with: nothing of the page before, but why a form that was posted without a script failed."""
    session = await state.get_state(SessionState)
    query = state.router.url.query_parameters
    code = query.get("error", "")
    words = form_words(code, query.get("retry_after", "")) if code else ""
    if session.notice or words:
        show_notice(session, words, "error" if words else "")
    if session.load_error:
        session.load_error = session.load_error_id = ""


def is_admitted(event_name: str) -> bool:
    """Whether an event of this name may run at all: one of ours behind the guard, or one of the framework's few."""
    if event_name in FRAMEWORK_HANDLERS:
        return True
    registered = RegistrationContext.get().event_handlers.get(event_name)
    return registered is not None and isinstance(getattr(registered.handler.fn, GUARD_ATTRIBUTE, None), Guard)


def log_backend_fault(exception: Exception) -> EventSpec | None:
    """What Reflex calls when an event fails outside our handlers. Its own answer is a script to be evaluated."""
    log.error("a portal event failed outside its handler", exc_info=exception)
    return None


def log_browser_fault(exception: Exception) -> None:
    """What Reflex calls, a bounded number of times a minute, with an error that a browser reports."""
    log.warning("a browser reports: %.500s", exception)


def _is_told(record: logging.LogRecord) -> bool:
    """Not that a tab was closed while its page was made: each one that somebody leaves early."""
    return not record.getMessage().startswith("Attempting to send delta to disconnected client")


def install(app: rx.App, resolve: Resolve, address_of: AddressOf) -> None:
    """Puts the gate before `app` and takes out of the registry what may not run anyway, Reflex's setters by name first.

    `resolve` finds the person of a session cookie, or None when the session has ended; `address_of` the address of
    who is behind a socket ("" where it is gone).
    """
    registry = RegistrationContext.get().event_handlers
    for name in [name for name in registry if not is_admitted(name)]:
        del registry[name]
    app.add_middleware(SessionMiddleware(resolve, address_of), index=0)
    # It warns, with the value, about every argument that anybody sends in the wrong type; we refuse those ourselves.
    logging.getLogger("reflex_base.event.processor.base_state_processor").setLevel(logging.ERROR)
    logging.getLogger("reflex.app").addFilter(_is_told)
    namespace = app.event_namespace
    if namespace is None:
        raise RuntimeError("the app has no event namespace: it has no state")
    process = namespace.on_event

    async def on_event(sid: str, data: Any) -> None:
        # Dropped here, without a word: Reflex would log whatever anybody sends, headers and payload included.
        if not (isinstance(data, dict) and isinstance(name := data.get("name"), str) and is_admitted(name)):
            return
        await process(sid, data)

    namespace.on_event = on_event  # type: ignore[method-assign]
