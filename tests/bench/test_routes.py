"""What it costs to translate: CPU of a request by every surface and wire, over that of passing on."""

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator
from statistics import median
from typing import Any

import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services import opening
from aiservice.services.opening import open_core
from aiservice.settings import Deadlines, Settings
from tests.bench.at_once import AtOnce
from tests.gateway.conftest import Gateway, portal
from tests.harness.evidence import Evidence

_AIM = 1.5
_ROUNDS, _OF_THE_BASE, _AT_ONCE, _EACH = 11, 6, 16, 4  # a turn of a route is 64 requests, sixteen of them at a time
_SLACK = 1.1  # two runs of the same tree differ by less
_TEXT = "How does the gate keep its keys, and what does it count of each word that passes through?"
_PAIR = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_WIRES = {
    "openai-compatible": ("openai-compatible", "/v1", "sk-mock", "gpt-mock"),
    "openai": ("openai", "/v1", "sk-mock", "gpt-4o-mini"),
    "anthropic": ("anthropic", "", "sk-mock", "claude-sonnet-4-5"),
    "gemini": ("gemini", "/v1beta", "sk-mock", "gemini-2.5-flash"),
    "cohere": ("cohere", "", "sk-mock", "command-r-08-2024"),
    "bedrock signed": ("bedrock", "", _PAIR, "amazon.nova-lite-v1:0"),
    "bedrock by key": ("bedrock", "", "bedrock-api-key-" + "a" * 40, "amazon.nova-lite-v1:0"),
}
_MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": _TEXT}]
_GIVEN: dict[str, Any] = {"instructions": "Be brief.", "input": _TEXT, "max_output_tokens": 200}
_SURFACES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": _MESSAGES, "max_tokens": 200}),
    "messages": ("/v1/messages", {"system": "Be brief.", "messages": _MESSAGES[1:], "max_tokens": 200}),
    "responses": ("/v1/responses", {**_GIVEN, "store": False}),
    "responses, stored": ("/v1/responses", _GIVEN),
    "google": (
        "/v1beta/models/{model}:generateContent",
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": _TEXT}]}],
            "generationConfig": {"maxOutputTokens": 200},
        },
    ),
}
_PASSING_ON = ("chat", "openai-compatible")
# By whom each surface is passed on as it is: its client's own words there and back.
_OWN = {
    "chat": "openai-compatible",
    "messages": "anthropic",
    "responses": "openai",
    "responses, stored": "openai",
    "google": "gemini",
}
_STORED = 2.6

Route = tuple[str, str]


@pytest.fixture
async def routes(installed: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """An installation with a connection of every wire, each of which answers at once."""

    def no_sockets(_deadlines: Deadlines) -> AtOnce:
        return AtOnce()

    monkeypatch.setattr(opening, "SocketTransport", no_sockets)
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        for name, (kind, path, key, model) in _WIRES.items():
            address = "http://127.0.0.1:9" + path
            await core.connections.add(
                OPERATOR, kind, _named(name), address, Secret(key), is_private_allowed=True, models=[model]
            )
        made = await core.keys.create(OPERATOR, "app", "first")
        in_flight = InFlight()
        yield Gateway(build_gateway(core, in_flight, portal, portal), core, in_flight, made.key.reveal_text())


def _named(wire: str) -> str:
    return wire.replace(" ", "-")


async def _ask(gateway: Gateway, route: Route, *, is_stream: bool) -> None:
    surface, wire = route
    path, body = _SURFACES[surface]
    model = f"{_named(wire)}/{_WIRES[wire][3]}"
    if surface == "google":
        path = path.format(model=model)
        reply = await gateway.post(path.replace(":generate", ":streamGenerate") if is_stream else path, body)
    else:
        reply = await gateway.post(path, {"model": model, **body, **({"stream": True} if is_stream else {})})
    assert reply.status == 200, (route, reply.body)
    assert reply.body.count(b"passes") >= 2, (route, reply.body)


async def _microseconds(gateway: Gateway, route: Route, *, is_stream: bool) -> float:
    """CPU of one request: of the whole process, and so of what is written behind it, too."""

    async def some() -> None:
        for _ in range(_EACH):
            await _ask(gateway, route, is_stream=is_stream)

    before = time.process_time_ns()
    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(some())
    await gateway.core.ledger.flush()
    return (time.process_time_ns() - before) / 1000 / (_AT_ONCE * _EACH)


async def _ratios(gateway: Gateway, *, is_stream: bool) -> tuple[float, dict[Route, float]]:
    """Microseconds of passing on, and what each route takes over that, in turns: all have the same neighbours."""
    every = [(surface, wire) for surface in _SURFACES for wire in _WIRES]
    seen: dict[Route, list[float]] = {route: [] for route in every}
    passing_on: list[float] = []
    for route in every:  # caches fill, and a client's data key is made
        await _microseconds(gateway, route, is_stream=is_stream)
    gc.collect()
    for number in range(_ROUNDS):
        turns = random.Random(number).sample([*every, *[_PASSING_ON] * _OF_THE_BASE], len(every) + _OF_THE_BASE)
        taken = [(route, await _microseconds(gateway, route, is_stream=is_stream)) for route in turns]
        passing_on.append(median(each for route, each in taken if route == _PASSING_ON))
        for route, each in taken:
            seen[route].append(each / passing_on[-1])
    return median(passing_on), {route: median(ratios) for route, ratios in seen.items()}


def _most(route: Route) -> float:
    """What a route may take of chat's passing on. An answer that is stored is sealed, and committed before its last
    byte goes, by whomever it was given: that is none of its translation's (README, "Cost of a request")."""
    return _STORED if route[0] == "responses, stored" else _AIM


def _printed(title: str, ratios: dict[Route, float]) -> None:
    print(f"\n{title:20}" + "".join(f"{wire:>18}" for wire in _WIRES))
    for surface in _SURFACES:
        print(f"{surface:20}" + "".join(f"{ratios[surface, wire]:18.2f}" for wire in _WIRES))


@pytest.mark.long
@pytest.mark.sqlite_only("what is measured is the gateway's own")
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
async def test_a_translated_route_costs_at_most_half_as_much_again(
    routes: Gateway, evidence: Evidence, is_stream: bool
) -> None:
    base, ratios = await _ratios(routes, is_stream=is_stream)
    own = {route: ratio / ratios[route[0], _OWN[route[0]]] for route, ratio in ratios.items()}
    _printed("over passing on", ratios)
    _printed("over its own", own)
    named = {f"{surface} by {wire}": round(ratio, 2) for (surface, wire), ratio in ratios.items()}
    more = {f"{surface} by {wire}": round(base * (ratio - 1)) for (surface, wire), ratio in ratios.items()}
    over = {name: ratio for name, ratio in named.items() if ratio > _AIM}
    evidence.note(passing_on_microseconds=round(base), ratios=named, microseconds_more=more, aim=_AIM, over=over)
    assert not {route: ratio for route, ratio in ratios.items() if ratio > _most(route) * _SLACK}
    assert not {route: ratio for route, ratio in own.items() if ratio > _AIM * _SLACK}
