"""A decision with its reasons: where a request goes, in order, and of every other connection the rule that removed it.

Made by the router itself (`Router.candidates`), so it cannot differ from what a call does; only the rules of those left
out are found afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiservice.dialects._base import ClientRequest
from aiservice.errors import BrokerError
from aiservice.principal import Principal
from aiservice.services.candidates import SANDBOX, Candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.routing import Decided, Router, wish_of
from aiservice.services.routing_filters import Rule, policy_rule
from aiservice.services.routing_plan import (
    Wish,
    has_kind,
    is_model_allowed,
    is_of_client,
    is_within_rights,
    model_for,
    split_model,
)
from aiservice.services.routing_terms import Terms

Snapshot = tuple[ConnectionView, ...]


@dataclass(slots=True, frozen=True)
class Removed:
    """A connection that the request does not go to: the `rule` that removed it, and that rule in words."""

    connection: str
    kind: str
    rule: str
    words: str


@dataclass(slots=True, frozen=True)
class Decision:
    """`refusal` is what the caller is told where no candidate is left."""

    candidates: tuple[Candidate, ...]
    removed: tuple[Removed, ...]
    refusal: BrokerError | None = None


def decide(
    router: Router,
    principal: Principal,
    request: ClientRequest,
    stored: Terms | None,
    snapshot: Snapshot,
    *,
    input_tokens: int = 0,
) -> Decision:
    """What a call of `principal` would do now, with its reasons. Other clients' own connections are not shown."""
    decided: Decided | None = None
    refusal: BrokerError | None = None
    try:
        decided = router.decide(principal, request, stored, snapshot, input_tokens=input_tokens)
    except BrokerError as error:
        refusal = error
    try:
        wish = wish_of(principal, request, stored)
    except BrokerError:  # its preferences cannot be read: nothing was decided by them
        return Decision((), (), refusal)
    candidates = decided.candidates if decided is not None else ()
    return Decision(candidates, removed_of(wish, candidates, decided.removed if decided else (), snapshot), refusal)


def removed_of(
    wish: Wish,
    candidates: tuple[Candidate, ...],
    by_request: Iterable[tuple[Candidate, Rule]],
    snapshot: Snapshot,
) -> tuple[Removed, ...]:
    """Every connection that is none of the candidates, and the rule that removed it; what the request itself needs is
    in `by_request`. Other clients' own connections are left out."""
    chosen = {candidate.connection.id for candidate in candidates}
    needs = {candidate.connection.id: rule for candidate, rule in by_request}
    found = []
    for view in snapshot:
        if view.id not in chosen and is_of_client(wish, view):
            rule = needs.get(view.id) or _rule(wish, view, snapshot)
            found.append(Removed(view.name, view.kind, rule.name, rule.words))
    return tuple(dict.fromkeys(found))  # what removed a connection has removed all its keys


def _rule(wish: Wish, view: ConnectionView, snapshot: Snapshot) -> Rule:
    """The first rule that leaves the connection out, in the order in which the router goes by them."""
    names = {view.name, view.kind}
    if not is_within_rights(wish, view):
        return Rule("test_key", "A test key reaches the sandbox alone.") if wish.is_test else _NOT_ALLOWED
    if wish.terms.only is not None and not names & wish.terms.only:
        return Rule("only", "The preferences say 'only', and do not name it.")
    if names & wish.terms.ignore:
        return Rule("ignore", "The preferences say to ignore it.")
    if not wish.is_test and (rule := policy_rule(wish.terms, view)) is not None:
        return rule
    if view.is_disabled:
        return Rule("disabled", "It is switched off.")
    if not has_kind(view, wish.kind):
        return Rule("kind", f"It has no model for '{wish.task}'.")
    return _rule_of_model(wish, view, snapshot)


def _rule_of_model(wish: Wish, view: ConnectionView, snapshot: Snapshot) -> Rule:
    names = {view.name, view.kind}
    pinned, model = _pinned(wish, snapshot)
    if pinned is not None and pinned not in names:
        return Rule("pinned", f"The request's model pins it to '{pinned}'.")
    places = [] if pinned is not None or wish.is_test else _places(wish.chain, names)
    if wish.chain is not None and pinned is None and not wish.is_test and not places:
        return Rule("order", "The order does not name it.")
    wanted = [model or place.partition(":")[2] or None for place in places] or [model]
    found = [name for each in wanted if (name := model_for(view, each, wish.kind)) is not None]
    if not found:
        return Rule("model", f"It does not have the model '{next((name for name in wanted if name), '')}'.")
    if not any(is_model_allowed(wish, view, name) for name in found):
        return Rule("model_not_allowed", f"This key may not use the model '{found[0]}'.")
    if view.kind == SANDBOX and wish.chain is None and pinned is None:
        return Rule("sandbox", "The sandbox answers only where there is nothing else.")
    return Rule("fallbacks", "The places before it are enough: no more are tried.")


_NOT_ALLOWED = Rule("not_allowed", "This key may not use it.")


def _places(chain: tuple[str, ...] | None, names: set[str]) -> list[str]:
    return [entry for entry in chain or () if entry.partition(":")[0] in {"", *names}]


def _pinned(wish: Wish, snapshot: Snapshot) -> tuple[str | None, str | None]:
    try:
        return split_model(wish, snapshot)
    except BrokerError:
        return None, wish.model
