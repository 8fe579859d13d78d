"""What a wish comes to before its request is looked at: the places it may go to, by rights, preferences and models.

Pure: no I/O, no clock. Equal wishes have equal plans, as long as no connection changes.
"""

import difflib
from dataclasses import dataclass
from operator import attrgetter

from aiservice.errors import InvalidRequest, NoProvider, NotFound, PermissionDenied
from aiservice.principal import Principal
from aiservice.providers import registry
from aiservice.providers._media_names import media_kind_of
from aiservice.services.candidates import SANDBOX, Candidate, candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.routing_filters import policy_rule
from aiservice.services.routing_strategies import strategy_of
from aiservice.services.routing_terms import Terms
from aiservice.wire import AskKind

IMPLICIT_ATTEMPTS = 2  # without a chain of the client's own: the first, and one fallback
_NOTHING = Terms()


@dataclass(slots=True, frozen=True)
class Wish:
    """What decides a plan; equal wishes have equal plans. `chain` is the order that holds, whoever said it."""

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
    terms: Terms = _NOTHING


@dataclass(slots=True)
class Plan:
    """The places a wish may go to, in groups: what the order names first comes first, and in a group the strategy
    decides. `most` is how many of them are tried. `is_open`: nobody has said which, so that places which do not answer
    may be left for others."""

    wish: Wish
    groups: tuple[tuple[Candidate, ...], ...]
    most: int | None
    is_open: bool


def models_for(principal: Principal, snapshot: tuple[ConnectionView, ...]) -> list[tuple[str, str, int]]:
    """(model, connection, created in microseconds UTC) of every model the key may use, each name once."""
    rights = (principal.client_id, principal.connections, principal.models, principal.is_test)
    wish = Wish(*rights, "chat", "chat", None, None, True, None)
    found: dict[str, tuple[str, str, int]] = {}
    for view in snapshot:
        provider = registry().get(view.kind)
        if provider is None or view.is_disabled or not _is_allowed(wish, view):
            continue
        for name in view.models or provider.default_models:
            if is_model_allowed(wish, view, name):
                found.setdefault(name, (name, view.name, view.created_us))
    return list(found.values())


def plan_of(wish: Wish, snapshot: tuple[ConnectionView, ...]) -> Plan:
    """The places that the wish may go to; at least one. Raises as `Router.decide`."""
    allowed = [view for view in snapshot if _is_allowed(wish, view)]
    pinned, model = split_model(wish, snapshot)
    usable = [view for view in allowed if not view.is_disabled and has_kind(view, wish.kind)]
    most: int | None = None
    if pinned is not None:
        usable = [view for view in usable if pinned in (view.name, view.kind)]
        groups = [_of_model(wish, usable, model, f"pinned to {pinned}")]
    elif wish.chain is not None and not wish.is_test:
        groups = _of_chain(wish, wish.chain, usable, model, snapshot)
    else:
        if not _is_sandbox_meant(wish, allowed, snapshot):
            usable = _without_sandbox(wish, usable, model)
        groups = [_of_model(wish, usable, model, "default order")]
        most = IMPLICIT_ATTEMPTS
    permitted = tuple(
        tuple(one for one in group if is_model_allowed(wish, one.connection, one.model)) for group in groups
    )
    if not any(permitted):
        raise _nothing(wish, has_found=any(groups), usable=usable, snapshot=snapshot)
    if wish.terms.allow_fallbacks is False:
        most = 1
    is_open = pinned is None and (wish.chain is None or wish.is_test)
    return Plan(wish, tuple(group for group in permitted if group), most, is_open)


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
    return wish.is_test or (_is_named(wish.terms, view) and policy_rule(wish.terms, view) is None)


def _is_named(terms: Terms, view: ConnectionView) -> bool:
    names = {view.name, view.kind}
    return not (names & terms.ignore) and (terms.only is None or bool(names & terms.only))


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
        if refused := _refused_by_policy(wish, snapshot, None, prefix):
            raise _against_policy(refused)
        raise NotFound(f"'{prefix}' is not a connection that this key may use.", code="model_not_found", param="model")
    return None, requested


def _of_model(wish: Wish, usable: list[ConnectionView], model: str | None, reason: str) -> list[Candidate]:
    found = []
    reason = _with_strategy(wish, reason)
    for view in sorted(usable, key=_place):
        chosen = model_for(view, model, wish.kind)
        if chosen is not None:
            found.append(candidate(view, chosen, _with_key(reason, view)))
    return found


def _of_chain(
    wish: Wish,
    chain: tuple[str, ...],
    usable: list[ConnectionView],
    model: str | None,
    snapshot: tuple[ConnectionView, ...],
) -> list[list[Candidate]]:
    groups: list[list[Candidate]] = []
    seen: set[tuple[str, str]] = set()
    for place, entry in enumerate(chain, start=1):
        name, _, entry_model = entry.partition(":")
        members = [view for view in usable if name in ("", view.name, view.kind)]  # "" is wherever the model is
        if not members and not wish.is_stored_chain and not _refused_by_policy(wish, snapshot, None, name):
            near = difflib.get_close_matches(name, [view.name for view in usable], n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise InvalidRequest(
                f"'{name}' in 'preferences.order' is not a connection this key may use for this task.{hint}",
                code="unknown_connection",
                param="preferences.order",
            )
        reason = f"{wish.alias or 'preference'} {place}"
        reason = _with_strategy(wish, reason) if len(members) > 1 else reason
        group = []
        for view in sorted(members, key=_place):
            chosen = model_for(view, model or entry_model or None, wish.kind)
            if chosen is not None and (view.id, chosen) not in seen:
                seen.add((view.id, chosen))
                group.append(candidate(view, chosen, _with_key(reason, view)))
        groups.append(group)
    return groups


def _refused_by_policy(
    wish: Wish, snapshot: tuple[ConnectionView, ...], model: str | None, name: str | None
) -> set[str]:
    """The rules on data by which connections are left out that could serve it; by `name`, only those of that name or
    kind."""
    found = set()
    for view in snapshot:
        could = is_within_rights(wish, view) and not view.is_disabled and has_kind(view, wish.kind)
        if (
            could
            and _is_named(wish.terms, view)
            and name in (None, view.name, view.kind)
            and model_for(view, model, wish.kind) is not None
        ):
            rule = policy_rule(wish.terms, view)
            if rule is not None:
                found.add(rule.name)
    return found


def _against_policy(rules: set[str]) -> NoProvider:
    return NoProvider(
        "No provider connection that this key may use for this meets what the preferences say of data "
        f"({', '.join(sorted(rules))}). An admin states what a provider does with data with "
        "'python -m aiservice provider set-data'.",
        code="data_policy",
        param="preferences",
    )


_place = attrgetter("place")


def _with_key(reason: str, view: ConnectionView) -> str:
    """Which of its connection's keys, by number: clients see it, and no more of a key than that."""
    return reason if view.key_number == 1 else f"{reason}, key {view.key_number}"


def _with_strategy(wish: Wish, reason: str) -> str:
    """By what it was chosen, in words without figures: they are kept with every request."""
    strategy = strategy_of(wish.terms)
    if strategy is None:
        return reason
    words = strategy.replace("_", " ")
    return words if reason == "default order" else f"{reason}, {words}"


def model_for(view: ConnectionView, model: str | None, kind: AskKind) -> str | None:
    provider = registry()[view.kind]
    names = view.models or provider.default_models
    if model is None:
        found = next((name for name in names if provider.serves(name, kind)), None)
        if kind == "chat" and found is not None and media_kind_of(found) is not None:  # it draws, and chats, too
            plain = (name for name in names if media_kind_of(name) is None and provider.serves(name, kind))
            return next(plain, found)
        return found
    if names:
        return model if model in names else None
    return model if provider.serves(model, kind) else None


def _is_sandbox_meant(wish: Wish, allowed: list[ConnectionView], snapshot: tuple[ConnectionView, ...]) -> bool:
    """The sandbox answers by itself only where the key has nothing else, or `only` names it: its answers are not real
    ones. That a request ignores what there is does not bring it."""
    permitted = allowed if wish.terms.only is not None else [view for view in snapshot if is_within_rights(wish, view)]
    return all(view.kind == SANDBOX for view in permitted)


def _without_sandbox(wish: Wish, usable: list[ConnectionView], model: str | None) -> list[ConnectionView]:
    """Who is left where the sandbox is not meant; a model that nobody else has, and that is listed as the sandbox's,
    asks for it by name."""
    others = [view for view in usable if view.kind != SANDBOX]
    is_its_own = model in registry()[SANDBOX].default_models and not _of_model(wish, others, model, "")
    return usable if is_its_own else others


def is_model_allowed(wish: Wish, view: ConnectionView, model: str) -> bool:
    allowed = wish.allowed_models
    if allowed is None or view.kind == SANDBOX:
        return True
    return model in allowed or f"{view.name}/{model}" in allowed


def _nothing(
    wish: Wish, *, has_found: bool, usable: list[ConnectionView], snapshot: tuple[ConnectionView, ...]
) -> NotFound | NoProvider | PermissionDenied:
    if has_found:
        return PermissionDenied("This key may not use that model.", code="model_not_allowed", param="model")
    if wish.alias is not None:
        return NotFound(
            f"The alias '{wish.alias}' leads to nothing that this key may use for '{wish.task}'. GET /v1/models lists "
            "what it may.",
            code="model_not_found",
            param="model",
        )
    pinned, model = split_model(wish, snapshot)
    if refused := _refused_by_policy(wish, snapshot, model, pinned):
        return _against_policy(refused)
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
