"""The one gate in front of every portal event: who is it, may they, and are the arguments what the handler declares.

Reflex lets the browser choose its state token and call every registered handler with any arguments, its own built-in
ones included. So: events outside our handlers and a short list of Reflex's own are refused; the person is looked up
from the cookie in the database on every event; a state filled for another session is emptied first; and `handler` is
the only way to register an event handler (a test enumerates them all).
"""

import functools
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import reflex as rx
from pydantic import ConfigDict, TypeAdapter, ValidationError
from reflex.state import BaseState, StateUpdate
from reflex_base.event import Event, EventSpec
from reflex_base.registry import RegistrationContext

from aiservice.errors import BrokerError, InternalFault, InvalidRequest, PermissionDenied, Unauthenticated
from aiservice.kit.ids import new_id
from aiservice.portal.session.cookie import read_session_cookie
from aiservice.portal.session.redirects import with_query
from aiservice.portal.words import form_words
from aiservice.principal import Person, Role
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
GUARD_ATTRIBUTE = "__guard__"
SIGN_IN_PATH = "/sign-in"

_current: ContextVar[Person | None] = ContextVar("portal_person", default=None)


@dataclass(slots=True, frozen=True)
class Guard:
    """What a handler asks of its caller. `is_public` handlers run for anybody."""

    role: Role | None
    is_public: bool


class SessionState(rx.State):
    """What every page shows of the signed-in person, and the notice on top of it. Nothing here grants anything."""

    email: str = ""
    is_admin: bool = False
    is_signed_in: bool = False
    notice: str = ""
    notice_kind: str = ""  # "error" or "done"
    notice_id: str = ""  # the request id of an error
    _bound_session: str = ""


def handler(*, role: Role | None = None, public: bool = False, **event_options: Any) -> Callable[[Any], Any]:
    """Registers an `async def` (or async generator) of a State as an event handler, behind the guard.

    Without `public` the caller must be signed in, with `role` they must have it. Every parameter needs an annotation:
    arguments that do not match it strictly are refused. A BrokerError becomes the page's notice.
    """

    def register(function: Any) -> Any:
        guard = Guard(role, public)
        bind = _binder(function)
        if inspect.isasyncgenfunction(function):
            guarded: Any = _guarded_generator(function, guard, bind)
        elif inspect.iscoroutinefunction(function):
            guarded = _guarded_coroutine(function, guard, bind)
        else:
            raise TypeError(f"{function.__qualname__}: an event handler is async")
        setattr(guarded, GUARD_ATTRIBUTE, guard)
        return rx.event(guarded, **event_options)

    return register


def signed_in() -> Person:
    """The person this event comes from.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    person = _current.get()
    if person is None:
        raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
    return person


@contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """Makes `signed_in` answer `person`, for work that no event started: the caller has checked their session."""
    token = _current.set(person)
    try:
        yield
    finally:
        _current.reset(token)


async def tell(state: rx.State, done: str) -> None:
    """Shows the person that something is done."""
    session = await state.get_state(SessionState)
    session.notice, session.notice_kind, session.notice_id = done, "done", ""


async def warn(state: rx.State, what: str) -> None:
    """Shows the person that something came out badly, though nothing of ours failed."""
    session = await state.get_state(SessionState)
    session.notice, session.notice_kind, session.notice_id = what, "error", ""


def _guarded_coroutine(function: Any, guard: Guard, bind: Callable[..., dict[str, Any]]) -> Any:
    @functools.wraps(function)
    async def guarded(self: rx.State, *args: Any, **kwargs: Any) -> Any:
        try:
            _admit(guard)
            return await function(self, **bind(args, kwargs))
        except Exception as exc:  # noqa: BLE001 - the edge: what is not ours to show becomes a plain fault
            return await _notice_of(self, exc, function.__qualname__)

    return guarded


def _guarded_generator(function: Any, guard: Guard, bind: Callable[..., dict[str, Any]]) -> Any:
    @functools.wraps(function)
    async def guarded(self: rx.State, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        try:
            _admit(guard)
            async for event in function(self, **bind(args, kwargs)):
                yield event
        except Exception as exc:  # noqa: BLE001 - as above
            yield await _notice_of(self, exc, function.__qualname__)

    return guarded


def _admit(guard: Guard) -> None:
    if guard.is_public:
        return
    person = signed_in()
    if guard.role is not None and person.role is not guard.role:
        raise PermissionDenied("Only an admin can do that.", code="admin_only")


def _binder(function: Any) -> Callable[..., dict[str, Any]]:
    """Checks arguments against the annotations of `function`, which are read at the first call."""
    signature = inspect.signature(function)
    names = [name for name in signature.parameters if name != "self"]

    @functools.cache
    def adapters() -> Mapping[str, TypeAdapter[Any]]:
        hints = inspect.get_annotations(function, eval_str=True)
        strict = ConfigDict(strict=True)
        return {name: _adapter(hints[name], strict) for name in names}

    def bind(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            given = signature.bind(None, *args, **kwargs).arguments
        except TypeError:
            raise InvalidRequest("The page sent other arguments than this action takes. Reload it.") from None
        try:
            return {name: adapters()[name].validate_python(value) for name, value in given.items() if name != "self"}
        except ValidationError as exc:
            where = ".".join(str(part) for part in exc.errors()[0]["loc"])
            raise InvalidRequest(f"A value is not valid{f': {where}' if where else ''}.", param=where or None) from None

    return bind


def _adapter(hint: Any, strict: ConfigDict) -> TypeAdapter[Any]:
    has_own_config = hasattr(hint, "__pydantic_config__") or hasattr(hint, "model_config")
    return TypeAdapter(hint) if has_own_config else TypeAdapter(hint, config=strict)


async def _notice_of(state: rx.State, exc: Exception, where: str) -> Any:
    """Shows the failure to the person: its public words, or only a request id when it is not one of ours."""
    if isinstance(exc, Unauthenticated):
        return rx.redirect(f"{SIGN_IN_PATH}?next={quote(_here(state), safe='/')}")
    request_id = new_id("req")
    if not isinstance(exc, BrokerError):
        log.exception("portal event %s failed", where, extra={"request_id": request_id})
        exc = InternalFault()
    session = await state.get_state(SessionState)
    session.notice, session.notice_kind, session.notice_id = exc.message, "error", request_id
    return None


def _here(state: rx.State) -> str:
    """The page that the event came from, its filters included."""
    url = state.router.url
    return with_query(url.path, **url.query_parameters)


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
        _current.set(person)
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
        session.notice, session.notice_kind, session.notice_id = words, "error" if words else "", ""


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
    namespace = app.event_namespace
    if namespace is None:
        raise RuntimeError("the app has no event namespace: it has no state")
    process = namespace.on_event

    async def on_event(sid: str, data: Any) -> None:
        # Dropped here, without a word: Reflex would log whatever anybody sends, headers and payload included.
        if isinstance(data, dict) and isinstance(name := data.get("name"), str) and is_admitted(name):
            await process(sid, data)

    namespace.on_event = on_event  # type: ignore[method-assign]
