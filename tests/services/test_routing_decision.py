"""A decision's reasons: every connection is either a place to go to or removed by a rule that holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import ClientRequest
from aiservice.principal import Principal
from aiservice.services.connection_views import ConnectionView
from aiservice.services.routing import Router
from aiservice.services.routing_decision import Decision, decide
from aiservice.services.routing_terms import Terms
from aiservice.wire import Ask

NAMES = ["east", "west", "other", "own", "sandbox"]


def view(name: str, **more: Any) -> ConnectionView:
    kind = "sandbox" if name == "sandbox" else "openai-compatible"
    said = {"models": ("fast",), "owner_client_id": None, "is_disabled": False, "weight": 1, **more}
    return ConnectionView(
        id=f"con_{name}", name=name, kind=kind, base_url="", is_private_allowed=True, revision=1, created_us=1, **said
    )


def decided(
    snapshot: list[ConnectionView], terms: Terms | None = None, model: str | None = None, **rights: Any
) -> Decision:
    request = ClientRequest(Ask("chat", "chat", {}), model)
    return decide(Router(), Principal("cli_1", "shop", "key_1", "x", **rights), request, terms, tuple(snapshot))


def rules(decision: Decision) -> dict[str, str]:
    return {removed.connection: removed.rule for removed in decision.removed}


@pytest.mark.parametrize(
    ("terms", "model", "rights", "rule"),
    [
        (Terms(only=frozenset({"west"})), None, {}, "only"),
        (Terms(ignore=frozenset({"east"})), None, {}, "ignore"),
        (Terms(order=("west",)), None, {}, "order"),
        (Terms(order=("west", "east"), allow_fallbacks=False), None, {}, "fallbacks"),
        (Terms(order=("west", "east:slow")), None, {}, "model"),
        (None, "west/fast", {}, "pinned"),
        (None, None, {"connections": frozenset({"west"})}, "not_allowed"),
        (None, None, {"models": frozenset({"west/fast"})}, "model_not_allowed"),
    ],
)
def test_the_rule_that_removed_a_connection_is_named(
    terms: Terms | None, model: str | None, rights: dict[str, Any], rule: str
) -> None:
    decision = decided([view("east"), view("west")], terms, model, **rights)
    assert [candidate.connection.name for candidate in decision.candidates] == ["west"]
    assert rules(decision) == {"east": rule}


def test_other_clients_connections_are_not_shown() -> None:
    foreign = view("own", owner_client_id="cli_2")
    decision = decided([view("east", is_disabled=True), foreign, view("sandbox", models=())])
    assert rules(decision) == {"east": "disabled", "sandbox": "sandbox"}
    assert decision.refusal is not None and decision.refusal.code == "no_provider_available"


places = st.sampled_from([*NAMES, "openai-compatible", "east:fast", "west:slow"])
terms_ = st.builds(
    Terms,
    order=st.none() | st.lists(places, min_size=1, max_size=3, unique=True).map(tuple),
    only=st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1),
    ignore=st.frozensets(st.sampled_from(NAMES), max_size=2),
    allow_fallbacks=st.sampled_from([None, True, False]),
)
views = st.lists(st.sampled_from(NAMES), unique=True).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(
                view,
                st.just(name),
                models=st.sampled_from([("fast",), ("slow", "fast"), ()]),
                is_disabled=st.booleans(),
                owner_client_id=st.sampled_from([None, None, "cli_1", "cli_2"]),
            )
            for name in names
        )
    )
)


@given(
    snapshot=views,
    terms=st.none() | terms_,
    model=st.sampled_from([None, "fast", "slow", "east/fast", "none"]),
    allowed=st.none() | st.frozensets(st.sampled_from(NAMES)),
    is_test=st.booleans(),
)
def test_every_connection_that_may_be_seen_is_chosen_or_removed(
    snapshot: tuple[ConnectionView, ...],
    terms: Terms | None,
    model: str | None,
    allowed: frozenset[str] | None,
    is_test: bool,
) -> None:
    decision = decided(list(snapshot), terms, model, connections=allowed, is_test=is_test)
    chosen = {candidate.connection.name for candidate in decision.candidates}
    seen = {one.name for one in snapshot if one.owner_client_id in (None, "cli_1")}
    assert chosen | set(rules(decision)) == seen
    assert not chosen & set(rules(decision))
    assert bool(chosen) != (decision.refusal is not None)
    if not chosen:  # where nothing is left, no rule says that there was enough
        assert "fallbacks" not in rules(decision).values()
