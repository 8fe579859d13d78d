"""Where a request may go: the candidates, in order, each with its reason. Pure: no I/O, no clock."""

import difflib
from dataclasses import dataclass, replace
from typing import Any

from aiservice.dialects._base import ClientRequest
from aiservice.errors import InvalidRequest, NoProvider, NotFound, PermissionDenied
from aiservice.principal import Principal
from aiservice.providers import registry
from aiservice.services.alias_terms import Route
from aiservice.services.candidates import Candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.routing_terms import Terms
from aiservice.wire import Ask, AskKind

SANDBOX = "sandbox"
IMPLICIT_ATTEMPTS = 2  # without a chain of the client's own: the first, and one fallback
_MEMO_SIZE = 10_000


@dataclass(slots=True, frozen=True)
class Wish:
    """What decides an order; equal wishes have equal candidates."""

    client_id: str
    allowed: frozenset[str] | None
    allowed_models: frozenset[str] | None
    is_test: bool
    kind: AskKind
    task: str
    model: str | None
    chain: tuple[str, ...] | None
    is_stored_chain: bool
    alias: str | None
    only: frozenset[str] | None
    ignore: frozenset[str]
    allow_fallbacks: bool


class Router:
    """Remembers the candidates of equal wishes until a connection changes."""

    def __init__(self) -> None:
        self._memo: dict[tuple[object, ...], tuple[Candidate, ...]] = {}
        self._snapshot: tuple[ConnectionView, ...] | None = None

    def candidates(
        self,
        principal: Principal,
        request: ClientRequest,
        stored: Terms | None,
        snapshot: tuple[ConnectionView, ...],
    ) -> tuple[Candidate, ...]:
        """The places to try, best first; never empty.

        Raises:
            NotFound: no connection has the requested model, or a pinned connection does not exist.
            InvalidRequest: the request's own order names something unknown.
            PermissionDenied: the model is outside what the key may use.
            NoProvider: nothing is configured for this task.
        """
        if snapshot is not self._snapshot or len(self._memo) > _MEMO_SIZE:
            self._memo.clear()
            self._snapshot = snapshot
        wish = (*_said(principal, request), stored)
        found = self._memo.get(wish)
        if found is None:
            found = self._memo[wish] = _ordered(wish_of(principal, request, stored), snapshot)
        return found

    def for_ask(
        self,
        principal: Principal,
        ask: Ask,
        stored: Terms | None,
        snapshot: tuple[ConnectionView, ...],
    ) -> tuple[Candidate, ...]:
        """`candidates` for a request that says nothing but its task."""
        return self.candidates(principal, ClientRequest(ask), stored, snapshot)


def follow(route: Route, request: ClientRequest) -> None:
    """Where the alias that the request names as its model leads becomes the request's own order.

    Raises:
        InvalidRequest: its own order names none of the alias's places.
    """
    request.order, request.model, request.alias = route.within(request.order), None, route.name


def _said(principal: Principal, request: ClientRequest) -> tuple[Any, ...]:
    """The fields of a `Wish`, before what is stored: a plain tuple, since it is made for every request."""
    ask = request.ask
    return (
        principal.client_id,
        principal.connections,
        principal.models,
        principal.is_test,
        "chat" if ask.kind == "token-count" else ask.kind,  # what may chat is what may be counted for
        ask.task,
        request.model,
        request.order,
        request.order is None or request.alias is not None,
        request.alias,
        request.only,
        request.ignore,
        request.allow_fallbacks,
    )


def wish_of(principal: Principal, request: ClientRequest, stored: Terms | None) -> Wish:
    """What the request says itself, and where it says nothing, what is stored for its caller."""
    wish = Wish(*_said(principal, request))
    if stored is None:
        return wish
    return replace(
        wish,
        chain=wish.chain or stored.order,
        only=stored.only if wish.only is None else wish.only,
        ignore=wish.ignore or stored.ignore,
        allow_fallbacks=wish.allow_fallbacks and stored.allow_fallbacks is not False,
    )


def models_for(principal: Principal, snapshot: tuple[ConnectionView, ...]) -> list[tuple[str, str, int]]:
    """(model, connection, created in microseconds UTC) of every model the key may use, each name once."""
    wish = Wish(
        principal.client_id,
        principal.connections,
        principal.models,
        principal.is_test,
        "chat",
        "chat",
        None,
        None,
        True,
        None,
        None,
        frozenset(),
        True,
    )
    found: dict[str, tuple[str, str, int]] = {}
    for view in snapshot:
        provider = registry().get(view.kind)
        if provider is None or view.is_disabled or not _is_allowed(wish, view):
            continue
        for name in view.models or provider.default_models:
            if is_model_allowed(wish, view, name):
                found.setdefault(name, (name, view.name, view.created_us))
    return list(found.values())


def _ordered(wish: Wish, snapshot: tuple[ConnectionView, ...]) -> tuple[Candidate, ...]:
    allowed = [view for view in snapshot if _is_allowed(wish, view)]
    pinned, model = split_model(wish, snapshot)
    usable = [view for view in allowed if not view.is_disabled and has_kind(view, wish.kind)]
    if pinned is not None:
        usable = [view for view in usable if pinned in (view.name, view.kind)]
        found = _of_model(wish, usable, model, f"pinned to {pinned}")
    elif wish.chain is not None and not wish.is_test:
        found = _of_chain(wish, wish.chain, usable, model)
    else:
        if not _is_sandbox_meant(wish, allowed, snapshot):
            usable = [view for view in usable if view.kind != SANDBOX]
        found = _of_model(wish, usable, model, "default order")[:IMPLICIT_ATTEMPTS]
    permitted = [candidate for candidate in found if is_model_allowed(wish, candidate.connection, candidate.model)]
    if not permitted:
        raise _nothing(wish, has_found=bool(found), usable=usable)
    return tuple(permitted if wish.allow_fallbacks else permitted[:1])


def is_of_client(wish: Wish, view: ConnectionView) -> bool:
    return view.owner_client_id is None or view.owner_client_id == wish.client_id


def is_within_rights(wish: Wish, view: ConnectionView) -> bool:
    if not is_of_client(wish, view):
        return False
    if wish.is_test:
        return view.kind == SANDBOX
    return wish.allowed is None or view.name in wish.allowed


def _is_allowed(wish: Wish, view: ConnectionView) -> bool:
    if not is_within_rights(wish, view):
        return False
    if wish.is_test:
        return True
    names = {view.name, view.kind}
    return not (names & wish.ignore) and (wish.only is None or bool(names & wish.only))


def has_kind(view: ConnectionView, kind: AskKind) -> bool:
    provider = registry().get(view.kind)
    if provider is None:
        return False
    return not view.models or any(provider.serves(name, kind) for name in view.models)


def split_model(wish: Wish, snapshot: tuple[ConnectionView, ...]) -> tuple[str | None, str | None]:
    """(pinned connection or kind, model). A prefix that names neither is part of the model's own name."""
    requested = wish.model
    if requested is None:
        return None, None
    if requested == SANDBOX:
        return SANDBOX, None
    prefix, slash, rest = requested.partition("/")
    if not slash:
        return None, requested
    if any(prefix in (view.name, view.kind) for view in snapshot if _is_allowed(wish, view)):
        return prefix, None if rest in ("", "auto") else rest
    # Other clients' own connections are not known here, so their names neither show nor get in the way.
    if any(prefix in (view.name, view.kind) for view in snapshot if is_of_client(wish, view)):
        raise NotFound(f"'{prefix}' is not a connection that this key may use.", code="model_not_found", param="model")
    return None, requested


def _of_model(wish: Wish, usable: list[ConnectionView], model: str | None, reason: str) -> list[Candidate]:
    found = []
    for view in sorted(usable, key=lambda view: (-view.weight, view.created_us)):
        chosen = model_for(view, model, wish.kind)
        if chosen is not None:
            found.append(_candidate(view, chosen, reason))
    return found


def _of_chain(wish: Wish, chain: tuple[str, ...], usable: list[ConnectionView], model: str | None) -> list[Candidate]:
    found: list[Candidate] = []
    for place, entry in enumerate(chain, start=1):
        name, _, entry_model = entry.partition(":")
        members = [view for view in usable if name in ("", view.name, view.kind)]  # "" is wherever the model is
        if not members and not wish.is_stored_chain:
            near = difflib.get_close_matches(name, [view.name for view in usable], n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise InvalidRequest(
                f"'{name}' in 'preferences.order' is not a connection this key may use for this task.{hint}",
                code="unknown_connection",
                param="preferences.order",
            )
        for view in sorted(members, key=lambda view: (-view.weight, view.created_us)):
            chosen = model_for(view, model or entry_model or None, wish.kind)
            if chosen is not None and all(c.connection.id != view.id or c.model != chosen for c in found):
                found.append(_candidate(view, chosen, f"{wish.alias or 'preference'} {place}"))
    return found


def model_for(view: ConnectionView, model: str | None, kind: AskKind) -> str | None:
    provider = registry()[view.kind]
    names = view.models or provider.default_models
    if model is None:
        return next((name for name in names if provider.serves(name, kind)), None)
    if names:
        return model if model in names else None
    return model if provider.serves(model, kind) else None


def _is_sandbox_meant(wish: Wish, allowed: list[ConnectionView], snapshot: tuple[ConnectionView, ...]) -> bool:
    """The sandbox answers by itself only where the key has nothing else, or `only` names it: its answers are not real
    ones. That a request ignores what there is does not bring it."""
    permitted = allowed if wish.only is not None else [view for view in snapshot if is_within_rights(wish, view)]
    return all(view.kind == SANDBOX for view in permitted)


def is_model_allowed(wish: Wish, view: ConnectionView, model: str) -> bool:
    allowed = wish.allowed_models
    if allowed is None or view.kind == SANDBOX:
        return True
    return model in allowed or f"{view.name}/{model}" in allowed


def _candidate(view: ConnectionView, model: str, reason: str) -> Candidate:
    block = [
        (b"x-aiservice-provider", _header_text(view.name)),
        (b"x-aiservice-model", _header_text(model)),
        (b"x-aiservice-route", _header_text(reason)),
    ]
    if view.kind == SANDBOX:
        block.append((b"x-aiservice-sandbox", b"true"))
    return Candidate(view, registry()[view.kind], model, reason, tuple(block))


def _header_text(text: str) -> bytes:
    return "".join(ch if " " <= ch <= "~" else "?" for ch in text).encode("ascii")


def _nothing(wish: Wish, *, has_found: bool, usable: list[ConnectionView]) -> NotFound | NoProvider | PermissionDenied:
    if has_found:
        return PermissionDenied("This key may not use that model.", code="model_not_allowed", param="model")
    if wish.alias is not None:
        return NotFound(
            f"The alias '{wish.alias}' leads to nothing that this key may use for '{wish.task}'. GET /v1/models lists "
            "what it may.",
            code="model_not_found",
            param="model",
        )
    if wish.model is not None and usable:
        known = sorted({name for view in usable for name in view.models})
        near = difflib.get_close_matches(wish.model, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else " GET /v1/models lists what this key may use."
        return NotFound(
            f"No provider connection of this key has the model '{wish.model}'.{hint} 'auto' lets the broker choose.",
            code="model_not_found",
            param="model",
        )
    return NoProvider(
        f"No provider connection that this key may use can do '{wish.task}'. An admin can add one on the portal's "
        "Providers page or with 'python -m aiservice provider add'."
    )
