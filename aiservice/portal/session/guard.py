"""What every portal handler asks of its caller: may they, and are the arguments what it declares? `handler` is the only
way to register one (a test enumerates them all). Who calls is found out at the `gate`, before any of it.
"""

import functools
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import reflex as rx
from pydantic import ConfigDict, TypeAdapter, ValidationError
from reflex_base.config import get_config

from aiservice.errors import BrokerError, InternalFault, InvalidRequest, PermissionDenied, Unauthenticated
from aiservice.kit.ids import new_id
from aiservice.portal.moments import USUAL_ZONE
from aiservice.portal.session.redirects import with_query
from aiservice.principal import Person
from aiservice.services.rights import known, require
from aiservice.services.rights_table import TABLE, Reach

log = logging.getLogger(__name__)

GUARD_ATTRIBUTE = "__guard__"
SIGN_IN_PATH = "/sign-in"
SESSION_ENDED = f"{SIGN_IN_PATH}?error=session_expired"
LOAD = "load"  # what every page's load handler is called
_YES: Any = rx.Var.create(True)
_NO: Any = rx.Var.create(False)

_current: ContextVar[Person | None] = ContextVar("portal_person", default=None)
_had_session: ContextVar[bool] = ContextVar("portal_had_session", default=False)


@dataclass(slots=True, frozen=True)
class Guard:
    """What a handler asks of its caller: the right to its action. Without one it is public: it runs for anybody."""

    action: str

    @property
    def is_public(self) -> bool:
        return not self.action


class SessionState(rx.State):
    """What every page shows of the signed-in person, and the notice on top of it. Nothing here grants anything."""

    email: str = ""
    is_admin: bool = False
    is_signed_in: bool = False
    notice: str = ""
    notice_kind: str = ""  # "error" or "done"
    notice_id: str = ""  # the request id of an error
    asks_password: bool = False  # what failed goes through once the password is said again
    load_error: str = ""  # why the page has nothing to show
    load_error_id: str = ""
    _bound_session: str = ""


def handler(action: str = "", *, public: bool = False, **event_options: Any) -> Callable[[Any], Any]:
    """Registers an `async def` (or async generator) of a State as an event handler, behind the guard.

    `action` is its name in the table of rights (services/rights_table.py): the caller must be signed in and have that
    right to some row; to which row, the service checks. Only a `public` one has none. Every parameter needs an
    annotation: arguments that do not match it strictly are refused. A BrokerError becomes the page's notice.
    """
    if public == bool(action):
        raise TypeError("an event handler names its action in the table of rights, or is public")
    guard = Guard(known(action) if action else "")

    def register(function: Any) -> Any:
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


def guard_of(function: Any) -> Guard | None:
    """What a registered handler (or the event made of it) asks; None: it is not registered here."""
    found = getattr(getattr(function, "fn", function), GUARD_ATTRIBUTE, None)
    return found if isinstance(found, Guard) else None


def allowed(action: str, row: Reach = Reach.OWN) -> rx.Var[bool]:
    """Whether a page shows what does `action` with such rows: a courtesy, since the service refuses."""
    held = TABLE[known(action)][0]
    if held.developer >= row:
        return _YES
    by_admins: Any = SessionState.is_admin
    return by_admins if held.admin >= row else _NO


def signed_in() -> Person:
    """The person this event comes from.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    person = _current.get()
    if person is None:
        raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
    return person


def become(person: Person | None, *, had_session: bool = False) -> None:
    """Says who the rest of this event is by; only the gate knows. `had_session`: the browser showed a cookie of ours,
    so a person who is nobody now was signed in before."""
    _current.set(person)
    _had_session.set(had_session)
    USUAL_ZONE.set("UTC" if person is None else person.time_zone)


@contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """Makes `signed_in` answer `person`, for work that no event started: the caller has checked their session."""
    token, zone = _current.set(person), USUAL_ZONE.set(person.time_zone)
    try:
        yield
    finally:
        _current.reset(token)
        USUAL_ZONE.reset(zone)


async def tell(state: rx.State, done: str) -> None:
    """Shows the person that something is done."""
    show_notice(await state.get_state(SessionState), done, "done")


async def warn(state: rx.State, what: str) -> None:
    """Shows the person that something came out badly, though nothing of ours failed."""
    show_notice(await state.get_state(SessionState), what, "error")


def show_notice(
    session: SessionState, text: str, kind: str, request_id: str = "", *, asks_password: bool = False
) -> None:
    session.notice, session.notice_kind, session.notice_id = text, kind, request_id
    session.asks_password = asks_password


def _guarded_coroutine(function: Any, guard: Guard, bind: Callable[..., dict[str, Any]]) -> Any:
    @functools.wraps(function)
    async def guarded(self: rx.State, *args: Any, **kwargs: Any) -> Any:
        try:
            _admit(guard)
            answer = await function(self, **bind(args, kwargs))
        except Exception as exc:  # noqa: BLE001 - the edge: what is not ours to show becomes a plain fault
            return await _notice_of(self, exc, function)
        await _note_loaded(self, function)
        return answer

    return guarded


def _guarded_generator(function: Any, guard: Guard, bind: Callable[..., dict[str, Any]]) -> Any:
    @functools.wraps(function)
    async def guarded(self: rx.State, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        try:
            _admit(guard)
            async for event in function(self, **bind(args, kwargs)):
                await _note_loaded(self, function)
                yield event
            await _note_loaded(self, function)
        except Exception as exc:  # noqa: BLE001 - as above
            yield await _notice_of(self, exc, function)

    return guarded


def _admit(guard: Guard) -> None:
    if guard.is_public:
        return
    require(signed_in(), guard.action)


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


async def _notice_of(state: rx.State, exc: Exception, function: Any) -> Any:
    """Shows the failure to the person: its public words, or only a request id when it is not one of ours.

    A page that could not be loaded, or that has nothing yet, shows that in its place, or it would stand there as though
    it still waited. Anything else that failed stands above what there is.
    """
    if isinstance(exc, Unauthenticated):
        why = "&error=session_expired" if _had_session.get() else ""
        return rx.redirect(f"{SIGN_IN_PATH}?next={quote(_here(state), safe='/')}{why}")
    request_id = new_id("req")
    if not isinstance(exc, BrokerError):
        log.exception("portal event %s failed", function.__qualname__, extra={"request_id": request_id})
        exc = InternalFault()
    session = await state.get_state(SessionState)
    has_nothing = not getattr(state, "is_loaded", True) and not isinstance(exc, PermissionDenied)
    if function.__name__ == LOAD and (has_nothing or exc.status >= InternalFault.status):
        _show_load_error(session, exc.message, request_id)
    else:
        show_notice(session, exc.message, "error", request_id, asks_password=exc.code == "step_up_required")
    return None


async def _note_loaded(state: rx.State, function: Any) -> None:
    """A page that has something to show says no more that it could not be loaded."""
    if function.__name__ == LOAD:
        _show_load_error(await state.get_state(SessionState), "", "")


def _show_load_error(session: SessionState, text: str, request_id: str) -> None:
    if session.load_error or text:
        session.load_error, session.load_error_id = text, request_id


def _here(state: rx.State) -> str:
    """The page that the event came from, its filters included."""
    url = state.router.url
    under = get_config().frontend_path.rstrip("/")
    return with_query(url.path.removeprefix(under) or "/", **url.query_parameters)
