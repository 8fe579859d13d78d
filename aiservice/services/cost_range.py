"""What a request is likely to cost at one place, from the prompts and answers that were seen there."""

from collections.abc import Collection
from dataclasses import dataclass

from aiservice.kit.clock import now_us
from aiservice.services.candidates import Candidate
from aiservice.services.prices import Prices
from aiservice.services.routing_facts import RoutingFacts
from aiservice.wire import Usage

_LEAST_SAMPLES = 40
"""Of n seen before, the next is below the least or above the most with a chance of 2 in n + 1: 5 % at 39."""
_DEFAULT_OUTPUT = 4_096
_UNSEEN_INPUT = (0.5, 2.0)


@dataclass(slots=True, frozen=True)
class CostRange:
    """10⁻⁹ USD. `high` is None where nothing bounds the answer. `basis` says what both come from."""

    low: int
    high: int | None
    basis: str


def cost_range(
    facts: RoutingFacts, prices: Prices, place: Candidate, input_tokens: int, most_output: int | None
) -> CostRange | None:
    """From the shortest to the longest of what was seen at that place, and no more than the request allows; before
    enough was seen, from no answer to the longest allowed. None where the place has no price."""
    fact = facts.fact((place.connection.id, place.model))
    outputs: Collection[int] = fact.outputs if fact is not None else ()
    scales: Collection[float] = fact.inputs if fact is not None else ()
    is_learned = len(outputs) >= _LEAST_SAMPLES
    few, many = (min(outputs), max(outputs)) if is_learned else (0, _DEFAULT_OUTPUT)
    if most_output is not None:
        few, many = min(few, most_output), min(many, most_output) if is_learned else most_output
    small, large = (min(scales), max(scales)) if len(scales) >= _LEAST_SAMPLES else _UNSEEN_INPUT
    view, at_us = place.connection, now_us()

    def cost(inputs: float, outputs: int) -> int | None:
        return prices.cost_nano_usd(view.kind, view.base_url, place.model, Usage(int(inputs), outputs), at_us)

    low, high = cost(input_tokens * small, few), cost(input_tokens * large + 1, many)
    if low is None or high is None:
        return None
    basis = f"the last {len(outputs)} answers of this model" if is_learned else "what the request allows"
    return CostRange(low, high, basis)
