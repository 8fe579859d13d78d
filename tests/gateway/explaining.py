"""Generated configurations and requests, and whether what is explained is what a call then does."""

import contextlib
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from aiservice.errors import Unprocessable
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.routing_terms import Terms
from tests.gateway.conftest import PROVIDER_KEY, Gateway

MODELS = ("gpt-5-mini", "gpt-5-nano", "gpt-4o-mini", "o3")
STRATEGIES = ("weighted", "least_loaded", "latency", "cheapest", "quota")
NAMES = ("north", "east", "south", "west")

Json = dict[str, Any]


class Generated:
    """One run of generated configurations; `seed` makes it again."""

    def __init__(self, gateway: Gateway, seed: int) -> None:
        self.gateway = gateway
        self.dice = random.Random(seed)
        self.calls = self.answered = self.ranged = self.in_range = 0
        self._key = gateway.key

    async def configure(self) -> None:
        """Other connections, other stored preferences, another key."""
        core, dice = self.gateway.core, self.dice
        assert self.gateway.mock is not None
        for view in core.connections.snapshot():
            if view.kind != "sandbox":
                await core.connections.remove(OPERATOR, view.name)
        await core.preferences.clear(OPERATOR, "app")
        names = dice.sample(NAMES, dice.randint(1, len(NAMES)))
        for name in names:
            kind = dice.choice(("openai", "openai-compatible"))
            models = dice.sample(MODELS, dice.randint(1, len(MODELS)))
            await core.connections.add(
                OPERATOR,
                kind,
                name,
                self.gateway.mock.base_url,
                Secret(PROVIDER_KEY),
                is_private_allowed=True,
                models=models,
                weight=dice.randint(1, 4),
            )
            stated = {
                "region": dice.choice(("eu", "us", None)),
                "data_collection": dice.choice(("allow", "deny", None)),
            }
            await core.connections.set_data(OPERATOR, name, {**stated, "is_zdr": dice.random() < 0.2})
            if dice.random() < 0.1:
                await core.connections.disable(OPERATOR, name)
        if dice.random() < 0.6:
            terms = Terms.read(self._preferences(names))
            with contextlib.suppress(Unprocessable):  # terms that say nothing, or one thing and its contrary
                await core.preferences.set(OPERATOR, "app", dice.choice(("*", "chat")), terms)
        allowed = dice.choice((None, None, dice.sample(names, dice.randint(1, len(names)))))
        self._key = await self.gateway.new_key(connections=allowed)

    async def disagreements(self, requests: int) -> list[str]:
        """Asks for explanations and makes the calls; what differed, in words."""
        return [words for body in self._bodies(requests) if (words := await self._compared(body))]

    async def _compared(self, body: Json) -> str | None:
        post = self.gateway.post
        explanation = await post("/ai-service/explain", body, key=self._key)
        call = await post("/ai-service", body, key=self._key)
        self.calls += 1
        if explanation.status != 200:
            same = (explanation.status, explanation.code) == (call.status, call.code)
            return None if same else f"{body}: refused as {explanation.code}, called as {call.status} {call.code}"
        said = explanation.json()
        if (refusal := said["refusal"]) is not None:
            same = (refusal["status"], refusal["code"]) == (call.status, call.code)
            return None if same else f"{body}: to be refused as {refusal['code']}, was {call.status} {call.code}"
        places = [(one["provider"], one["model"], one["reason"]) for one in said["candidates"]]
        if said["warnings"] and call.status == 400 and call.json()["error"]["provider"] in {one[0] for one in places}:
            return None  # it went there, and nobody there does it, as was said
        if call.status != 200:
            return f"{body}: to go to {places}, was refused as {call.code}"
        return self._judged(body, said, places, call.json())

    def _judged(self, body: Json, said: Json, places: list[tuple[str, str, str]], answer: Json) -> str | None:
        tried = [(one["provider"], one["model"], one["reason"]) for one in answer["route"]["attempts"]]
        self.answered += 1
        if said["cost"] is not None and answer["cost"] is not None:
            self.ranged += 1
            low, high = Decimal(said["cost"]["low"]), Decimal(said["cost"]["high"])
            self.in_range += low <= Decimal(answer["cost"]["amount"]) <= high
        if list(dict.fromkeys(tried)) != places[: len(dict.fromkeys(tried))]:
            return f"{body}: to go to {places}, went to {tried}"
        return None

    def _bodies(self, count: int) -> Iterator[Json]:
        for _ in range(count):
            dice = self.dice
            body: Json = {
                "input": f"(words-{dice.randint(1, 60)}) {'on and on ' * dice.randint(0, 30)}",
                "task": "chat",
            }
            if dice.random() < 0.4:
                model = dice.choice((*MODELS, "nowhere", "north/gpt-5-mini", "openai/auto", "sandbox"))
                body["model"] = model
            if dice.random() < 0.6:
                body["preferences"] = self._preferences(NAMES)
            if dice.random() < 0.4:
                body["parameters"] = {"max_tokens": dice.choice((5, 40, 400))}
                if dice.random() < 0.3:
                    body["parameters"]["temperature"] = 0.2
            yield body

    def _preferences(self, names: Any) -> Json:
        dice, said = self.dice, dict[str, Any]()
        places = list(names)
        choices: Json = {
            "order": lambda: dice.sample(places, dice.randint(1, len(places))),
            "only": lambda: dice.sample([*places, "sandbox"], dice.randint(1, len(places))),
            "ignore": lambda: dice.sample(places, 1),
            "allow_fallbacks": lambda: dice.random() < 0.5,
            "require_parameters": lambda: True,
            "sort": lambda: dice.choice(("price", "latency", "throughput")),
            "strategy": lambda: dice.choice(STRATEGIES),
            "max_price": lambda: {"prompt": dice.choice((0.1, 0.3, 5)), "completion": dice.choice((0.5, 3, 20))},
            "data_collection": lambda: dice.choice(("allow", "deny")),
            "regions": lambda: [dice.choice(("eu", "us"))],
            "preferred_max_latency_ms": lambda: dice.choice((1, 1000)),
            "preferred_min_throughput": lambda: dice.choice((1, 1_000_000)),
            "fallback_below_throughput": lambda: dice.choice((1, 1_000)),
        }
        for name in dice.sample(sorted(choices), dice.choice((0, 1, 1, 2, 3))):
            said[name] = choices[name]()
        if "only" in said and "sandbox" in said["only"] and places == said["only"]:
            del said["only"]
        return said
