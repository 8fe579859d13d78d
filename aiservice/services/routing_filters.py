"""Rules that remove a place from a request's candidates, each with its name and its words. Pure.

What a request says of data holds whatever else it says, and fails closed: a connection of which nobody has stated what
it does with data is not one that keeps none. What a model can do fails open: what nobody knows is not missing.
"""

from dataclasses import dataclass

from aiservice.providers.capabilities import Capabilities, Requirements, capabilities_of, missing
from aiservice.services.candidates import SANDBOX, Candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.prices import Prices
from aiservice.services.routing_terms import MaxPrice, Terms

_MILLION = 1_000_000
_WORDS = {
    "context_tokens": "a prompt as long",
    "output_tokens": "an answer as long",
    "forced_tools": "a forced tool call",
    "json_schema": "answers by a JSON schema",
    "json_object": "JSON answers",
    "json_schema_with_tools": "answers by a JSON schema beside tools",
    "json_object_with_tools": "JSON answers beside tools",
    "audio_output": "spoken answers",
    "system": "instructions apart from the conversation",
}


@dataclass(slots=True, frozen=True)
class Rule:
    """Why a place is left out: a stable name, and words for people."""

    name: str
    words: str


def policy_rule(terms: Terms, view: ConnectionView) -> Rule | None:
    """What is said of data and region against what is stated of the connection. The sandbox sends nothing anywhere."""
    if view.kind == SANDBOX:
        return None
    if terms.zdr and not view.is_zdr:
        return Rule("zdr", "Nobody has stated that its provider keeps nothing ('provider set-data --zdr').")
    if terms.data_collection == "deny" and view.data_collection != "deny" and not view.is_zdr:
        said = "Its provider collects data." if view.data_collection == "allow" else _UNSTATED
        return Rule("data_collection", said)
    if terms.regions is not None and view.region not in terms.regions:
        where = (
            f"It is in '{view.region}'."
            if view.region
            else "Nobody has stated where it is ('provider set-data --region')."
        )
        return Rule("region", f"The preferences ask for {', '.join(sorted(terms.regions)) or 'no region'}. {where}")
    return None


_UNSTATED = "Nobody has stated that its provider collects no data ('provider set-data --data-collection deny')."


def price_rule(limit: MaxPrice, candidate: Candidate, prices: Prices, input_tokens: int, at_us: int) -> Rule | None:
    """Whether the place asks for more than the request allows; an unknown price may be any."""
    view = candidate.connection
    rates = prices.rates(view.kind, view.base_url, candidate.model, input_tokens, at_us)
    if view.kind == SANDBOX:
        return None
    if rates is None:
        return Rule("max_price", "Nobody knows what it costs, and the preferences set a highest price.")
    asked = (
        (limit.prompt, (rates.input or 0) * _MILLION / rates.scale),
        (limit.completion, (rates.output or 0) * _MILLION / rates.scale),
        (limit.request, rates.per_request / rates.scale),
    )
    if any(most is not None and price > most for most, price in asked):
        return Rule("max_price", "It costs more than the preferences allow.")
    return None


def able(candidate: Candidate) -> Capabilities:
    """What the model can do there."""
    view = candidate.connection
    return capabilities_of(view.kind, candidate.model, view.base_url, view.stated)


def capability_rule(requirements: Requirements, candidate: Candidate, *, is_strict: bool) -> Rule | None:
    """Whether the model can do what the request needs. `is_strict` (`require_parameters`): it is known to honour every
    parameter; that it can do the rest is never asked to be known."""
    view, known = candidate.connection, able(candidate)
    lacking = missing(requirements, known)
    if lacking:
        return Rule("capability", f"'{candidate.model}' does not do {', '.join(_WORDS.get(n, n) for n in lacking)}.")
    if is_strict and view.kind != SANDBOX and requirements.parameters - (known.parameters or frozenset()):
        names = ", ".join(sorted(requirements.parameters - (known.parameters or frozenset())))
        return Rule("require_parameters", f"'{candidate.model}' is not known to honour {names}.")
    return None
