"""Where a request goes: what it needs removes, a strategy orders, and what is known decides the same way every time."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import ClientRequest
from aiservice.errors import InvalidRequest, NoProvider, NotFound
from aiservice.principal import Principal
from aiservice.services.connection_views import ConnectionView
from aiservice.services.health import ConnectionHealth
from aiservice.services.pulse import Pulse
from aiservice.services.routing import Decided, Router
from aiservice.services.routing_facts import Load, RoutingFacts
from aiservice.services.routing_terms import Terms
from aiservice.wire import Ask, AttemptFailure, Blame, Usage
from tests.services.test_routing_decision import view

WHO = Principal("cli_1", "shop", "key_1", "x")


def priced(name: str, kind: str = "openai", model: str = "gpt-5-mini", **more: Any) -> ConnectionView:
    made = view(name, models=(model,), **more)
    return ConnectionView(**{**{f: getattr(made, f) for f in made.__dataclass_fields__}, "kind": kind})


def decide(
    router: Router, snapshot: tuple[ConnectionView, ...], preferences: Any, body: Any = None, tokens: int = 10
) -> Decided:
    request = ClientRequest(Ask("chat", "chat", body or {}), None, preferences)
    return router.decide(WHO, request, None, snapshot, input_tokens=tokens)


def names(decided: Decided) -> list[str]:
    return [each.connection.name for each in decided.candidates]


def test_weighted_places_are_first_as_often_as_their_weights_say_and_never_twice_in_a_row() -> None:
    router, snapshot = Router(), (view("a", weight=3), view("b", weight=2), view("c"))
    firsts = []
    for _ in range(60):
        decided = decide(router, snapshot, {"strategy": "weighted"})
        firsts.append(names(decided)[0])
        router.went("cli_1", decided)
    assert Counter(firsts) == {"a": 30, "b": 20, "c": 10}
    assert "aaa" not in "".join(firsts)


def test_deciding_twice_without_a_call_between_gives_the_same() -> None:
    router, snapshot = Router(), (view("a"), view("b"), view("c"))
    for strategy in ("weighted", "least_loaded", "latency", "quota"):
        assert names(decide(router, snapshot, {"strategy": strategy})) == names(
            decide(router, snapshot, {"strategy": strategy})
        )


def _begun(router: Router, name: str) -> Load:
    facts = router.facts
    return Load(facts.of((f"con_{name}", "fast")), Pulse(facts.clock()), facts.clock())


def test_the_least_loaded_place_comes_first_for_its_weight() -> None:
    router, snapshot = Router(), (view("a", weight=4), view("b"))
    loads = [_begun(router, "a") for _ in range(3)]
    _begun(router, "b")
    assert names(decide(router, snapshot, {"strategy": "least_loaded"})) == ["a", "b"]
    for load in loads:
        load.over()
        load.over()
    assert router.facts.fact(("con_a", "fast")).in_flight == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("preference", [{"strategy": "latency"}, {"sort": "latency"}])
def test_a_slow_place_comes_last_and_is_tried_again_when_its_slowness_is_long_ago(preference: Any) -> None:
    now = [0.0]
    router, health = Router(facts=RoutingFacts(lambda: now[0])), ConnectionHealth(lambda: now[0])
    snapshot = (view("slow"), view("quick"))
    for name, seconds in (("slow", 1.0), ("quick", 0.1)):
        load = _begun(router, name)
        now[0] += seconds
        health.answered(load, "fast", is_stream=False)
        load.ended(Usage(10, 10), 10, now[0])
    assert names(decide(router, snapshot, preference)) == ["quick", "slow"]
    load = _begun(router, "quick")
    now[0] += 30
    health.answered(load, "fast", is_stream=False)
    assert names(decide(router, snapshot, preference)) == ["slow", "quick"]


@pytest.mark.parametrize(
    ("preference", "reasons"),
    [
        ({"sort": "throughput"}, ["throughput, about 100 tokens/s", "throughput, about 5 tokens/s"]),
        ({"preferred_min_throughput": 50}, ["default order", "default order, about 5 tokens/s"]),
        ({"fallback_below_throughput": 5}, ["default order", "default order, about 5 tokens/s"]),
    ],
)
def test_a_place_that_gives_few_tokens_a_second_comes_later_and_says_so(preference: Any, reasons: list[str]) -> None:
    router, snapshot = Router(), (view("slow"), view("quick"))
    for name, tokens in (("slow", 43), ("quick", 912)):
        load = _begun(router, name)
        load.ended(Usage(10, tokens), 10, load.began + 10)
    decided = [decide(router, snapshot, preference) for _ in range(2)]
    assert names(decided[0]) == ["quick", "slow"]
    assert [each.reason for each in decided[0].candidates] == reasons
    assert decided[0].candidates == decided[1].candidates, "one decision, kept once"


def test_who_says_nothing_of_throughput_is_told_nothing_of_it() -> None:
    router, snapshot = Router(), (view("slow"), view("quick"))
    load = _begun(router, "slow")
    load.ended(Usage(10, 40), 10, load.began + 10)
    assert [each.reason for each in decide(router, snapshot, None).candidates] == ["default order"] * 2


def test_the_cheapest_place_comes_first() -> None:
    snapshot = (priced("large", model="gpt-5"), priced("small", model="gpt-5-nano"), view("free"))
    assert names(decide(Router(), snapshot, {"sort": "price", "order": ["large", "small", "free"]})) == [
        "large",
        "small",
        "free",
    ]  # an order goes before any strategy
    assert names(decide(Router(), snapshot, {"sort": "price"})) == ["small", "large"]


def test_what_costs_more_than_it_may_or_nobody_knows_what_is_removed() -> None:
    snapshot = (priced("large", model="gpt-5"), priced("small", model="gpt-5-nano"), view("unknown"))
    decided = decide(Router(), snapshot, {"max_price": {"prompt": 0.2, "completion": 1}})
    assert names(decided) == ["small"]
    assert {each.connection.name: rule.name for each, rule in decided.removed} == {
        "large": "max_price",
        "unknown": "max_price",
    }
    with pytest.raises(InvalidRequest) as refusal:
        decide(Router(), snapshot, {"max_price": {"prompt": 0.001}})
    assert refusal.value.param == "preferences.max_price"


def test_a_model_that_cannot_do_what_is_asked_gives_way_to_one_that_can() -> None:
    snapshot = (priced("deaf", model="gpt-3.5-turbo", weight=9), priced("seeing", model="gpt-5-mini"))
    image = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    body = {"messages": [{"role": "user", "content": [image]}]}
    assert names(decide(Router(), snapshot, None)) == ["deaf", "seeing"]
    decided = decide(Router(), snapshot, None, body)
    assert names(decided) == ["seeing"]
    assert decided.removed[0][1].words == "'gpt-3.5-turbo' does not do images."


def test_parameters_may_be_required() -> None:
    snapshot = (priced("thinking", model="o3", weight=9), priced("plain", model="gpt-4o-mini"))
    body = {"messages": [], "temperature": 0.2}
    assert names(decide(Router(), snapshot, {"require_parameters": True}, body)) == ["plain"]


@pytest.mark.parametrize(
    ("terms", "left"),
    [
        ({"data_collection": "deny"}, ["careful", "silent"]),
        ({"zdr": True}, ["silent"]),
        ({"regions": ["eu"]}, ["careful"]),
        ({"data_collection": "allow"}, ["greedy", "careful", "silent", "unstated"]),
    ],
)
def test_what_is_said_of_data_holds_and_what_nobody_stated_is_not_taken_for_granted(
    terms: Any, left: list[str]
) -> None:
    snapshot = (
        view("greedy", data_collection="allow"),
        view("careful", data_collection="deny", region="eu"),
        view("silent", is_zdr=True),
        view("unstated"),
    )
    stored = Terms(order=tuple(each.name for each in snapshot if each.name in left))
    request = ClientRequest(Ask("chat", "chat", {}), None, terms)
    assert names(Router().decide(WHO, request, stored, snapshot)) == left
    rest = {"only": [each.name for each in snapshot if each.name not in left] or ["none"]}
    with pytest.raises(NoProvider):
        decide(Router(), snapshot, {**terms, **rest})


def test_the_sandbox_does_not_answer_in_place_of_who_must_not() -> None:
    with pytest.raises(NoProvider) as refusal:
        decide(Router(), (view("east"), view("sandbox")), {"zdr": True})
    assert refusal.value.code == "data_policy"


def test_the_sandboxs_own_models_ask_for_it_by_name_where_nobody_else_has_them() -> None:
    snapshot = (view("east"), view("sandbox", models=("sandbox", "sandbox-embedding")))
    asked = ClientRequest(Ask("embedding", "embedding", {}), "sandbox-embedding")
    assert names(Router().decide(WHO, asked, None, snapshot)) == ["sandbox"]
    with pytest.raises(NotFound):
        Router().decide(WHO, ClientRequest(Ask("chat", "chat", {}), "no-such-model"), None, snapshot)
    theirs = (view("east", models=("sandbox-embedding",)), snapshot[1])
    assert names(Router().decide(WHO, asked, None, theirs)) == ["east"]
    assert names(decide(Router(), snapshot, None)) == ["east"]


@pytest.mark.parametrize("model", [None, "fast", "east/fast", "openai-compatible/fast"])
@pytest.mark.parametrize("order", [None, ["east"]])
def test_who_is_left_out_for_its_data_is_said_to_be_so_and_not_to_be_unknown(
    model: str | None, order: list[str] | None
) -> None:
    terms = {"regions": ["eu"], **({} if order is None else {"order": order})}
    request = ClientRequest(Ask("chat", "chat", {}), model, terms)
    with pytest.raises(NoProvider) as refusal:
        Router().decide(WHO, request, None, (view("east"), view("sandbox", models=())))
    assert (refusal.value.code, refusal.value.param) == ("data_policy", "preferences")
    assert "(region)" in refusal.value.message


def test_an_order_goes_past_who_is_left_out_for_its_data() -> None:
    request = ClientRequest(Ask("chat", "chat", {}), "fast", {"order": ["east", "west"], "regions": ["eu"]})
    assert names(Router().decide(WHO, request, None, (view("east"), view("west", region="eu")))) == ["west"]
    with pytest.raises(InvalidRequest, match="not a connection"):
        typo = ClientRequest(Ask("chat", "chat", {}), "fast", {"order": ["eats"], "regions": ["eu"]})
        Router().decide(WHO, typo, None, (view("east"), view("west", region="eu")))


def test_a_place_that_does_not_answer_is_left_where_nobody_has_named_it() -> None:
    health = ConnectionHealth()
    for _ in range(5):
        health.failed("con_a", AttemptFailure(502, "upstream_connect_failed", "", Blame.FAILOVER))
    health.wait_seconds("con_a")  # somebody tries it
    router, snapshot = Router(health=health), (view("a"), view("b"), view("c"))
    assert names(decide(router, snapshot, None)) == ["b", "c"]
    assert names(decide(router, snapshot, {"order": ["a", "b"]})) == ["a", "b"]


def test_a_long_prompt_goes_back_to_where_it_is_cached() -> None:
    router, snapshot = Router(), (priced("a"), priced("b"), priced("c"))
    body = {"messages": [{"role": "system", "content": "long " * 2000}, {"role": "user", "content": "hi"}]}
    decided = decide(router, snapshot, {"strategy": "weighted"}, body, tokens=2000)
    assert decided.prefix is not None
    router.facts.stick(WHO.client_id, decided.prefix, "con_c")
    assert names(decide(router, snapshot, {"strategy": "weighted"}, body, tokens=2000))[0] == "c"
    assert names(decide(router, snapshot, {"strategy": "weighted"}, {"messages": []}))[0] == "a"


@given(
    weights=st.lists(st.integers(1, 1000), min_size=1, max_size=6),
    strategy=st.sampled_from([None, "weighted", "least_loaded", "latency", "cheapest", "quota"]),
    turns=st.integers(0, 50),
)
def test_every_strategy_gives_every_place_once(weights: list[int], strategy: str | None, turns: int) -> None:
    snapshot = tuple(view(f"n{place}", weight=weight) for place, weight in enumerate(weights))
    preferences = {"order": ["openai-compatible"], **({"strategy": strategy} if strategy else {})}
    router = Router()
    for _ in range(turns):
        router.went("cli_1", decide(router, snapshot, preferences))
    assert sorted(names(decide(router, snapshot, preferences))) == sorted(each.name for each in snapshot)
