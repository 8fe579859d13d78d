"""A chat request (OpenAI's form) as the body of Anthropic's `POST /v1/messages`.

Format: platform.claude.com/docs/en/api/messages.
Every field is carried, or refused by name, or says nothing: nothing is dropped in silence.
"""

from typing import Any, Final

from aiservice.providers._anthropic_models import ClaudeModel, claude_model
from aiservice.providers._anthropic_tools import has_own_tools, put_tools, wants_json_tool
from aiservice.providers._anthropic_turns import turns_of
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.wire import Ask, Json

# Carried by the functions below, or (the stream's) by the gateway.
_CARRIED: Final = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "n",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "service_tier",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
        "user",
    }
)
# This wire's own words, which a client of chat completions may add; passed on as they are.
_OWN: Final = ("cache_control", "inference_geo", "speed", "thinking", "top_k")
# Hints about where a cache lies: they change no answer.
_HINTS: Final = frozenset({"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"})
# Values that ask for what happens anyway.
_DEFAULTS: Final[dict[str, Any]] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "modalities": ["text"],
    "n": 1,
    "presence_penalty": 0,
    "top_logprobs": 0,
    "verbosity": "medium",
}
_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_BUDGETS: Final = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_000, "max": 48_000}
_LEAST_BUDGET: Final = 1_024
_LEAST_TOP_P: Final = 0.95


def messages_body(ask: Ask, model: str) -> Json:
    """The body for `model`, without `stream`.

    Raises:
        AttemptFailed: `ask` holds something that this wire or model cannot carry (named in `param`).
    """
    given, rules = ask.body, claude_model(model)
    _refuse_the_rest(given)
    messages = given.get("messages")
    system, turns = turns_of(
        messages if isinstance(messages, list) else [],
        has_later_system=rules.has_later_system,
        has_own_tools=has_own_tools(given.get("tools")),
    )
    if not turns:  # the vendor must be asked something: instructions alone are what is asked
        if not system:
            raise _refused("messages", "They say nothing.")
        system, turns = [], [{"role": "user", "content": system}]
    body: Json = {"model": model, "max_tokens": _max_tokens(given, rules), "messages": turns}
    if system:
        body["system"] = system[0]["text"] if len(system) == 1 and len(system[0]) == 2 else system
    body.update({name: given[name] for name in _OWN if given.get(name) is not None})
    _put_stop(given, body)
    _put_user(given, body)
    put_tools(given, body, rules)
    _put_format(given, body, rules)
    put_thinking(given, body, rules)
    put_sampling(given, body, rules)
    tier = given.get("service_tier")
    if tier is not None:
        if not isinstance(tier, str) or tier not in _TIERS:
            raise _refused("service_tier", "Anthropic has the tiers 'auto' and 'default'.")
        body["service_tier"] = _TIERS[tier]
    return body


def _refuse_the_rest(given: Json) -> None:
    for name, value in given.items():
        if name == "n" and value not in (None, 1):
            raise _refused("n", "Anthropic gives one answer a request.")
        if name in _CARRIED or name in _OWN or name in _HINTS:
            continue
        says_nothing = value is None or value is False or value in ("", []) or value == _DEFAULTS.get(name)
        if not says_nothing:
            raise _refused(name, "It cannot be carried to Anthropic: leave it out, or choose a provider that has it.")


def _refused(param: str, why: str) -> AttemptFailed:
    return cannot_carry(param, f"'{param}' was not accepted. {why}")


def _max_tokens(given: Json, rules: ClaudeModel) -> Any:
    for name in ("max_completion_tokens", "max_tokens"):
        if given.get(name) is not None:
            return given[name]
    return rules.max_tokens


def _put_stop(given: Json, body: Json) -> None:
    stop = given.get("stop")
    if stop is None or stop == []:
        return
    sequences = stop if isinstance(stop, list) else [stop]
    if not all(isinstance(each, str) and each.strip() for each in sequences):
        raise _refused("stop", "With Anthropic, a stop sequence needs a character that is no white space.")
    body["stop_sequences"] = sequences


def _put_user(given: Json, body: Json) -> None:
    metadata = given.get("metadata") or {}
    if not isinstance(metadata, dict) or metadata.keys() - {"user_id"}:
        raise _refused("metadata", "Anthropic takes 'user_id' and nothing else.")
    user = given.get("safety_identifier") or given.get("user") or metadata.get("user_id")
    if user:
        body["metadata"] = {"user_id": user}


def _put_format(given: Json, body: Json, rules: ClaudeModel) -> None:
    """A schema is the vendor's own feature. JSON without a schema it has not: see `_anthropic_tools`."""
    wanted = given.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else wanted
    if kind in (None, "text") or wants_json_tool(given):
        return
    described = wanted.get("json_schema") if isinstance(wanted, dict) and kind == "json_schema" else None
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise _refused("response_format", "It must be of type text, json_object, or json_schema with a 'schema'.")
    if not rules.has_schemas:
        raise _refused("response_format", "This model has no structured output.")
    body["output_config"] = {"format": {"type": "json_schema", "schema": closed(schema)}}


# Keywords of JSON Schema that hold schemas by a name of the client's own, and those that hold none at all.
_NAMED_SCHEMAS: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_VALUES: Final = frozenset({"const", "default", "enum", "examples"})


def closed(schema: Any) -> Any:
    """`schema` with every object that says nothing of further properties closed, which the vendor requires."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made: Json = {}
    for name, value in schema.items():
        if name in _NAMED_SCHEMAS and isinstance(value, dict):
            made[name] = {key: closed(each) for key, each in value.items()}
        else:
            made[name] = value if name in _VALUES else closed(value)
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        made.setdefault("additionalProperties", False)
    return made


def put_thinking(given: Json, body: Json, rules: ClaudeModel) -> None:
    effort = given.get("reasoning_effort")
    if effort is None:
        return
    if not isinstance(effort, str) or effort not in {*_BUDGETS, "none"}:
        raise _refused("reasoning_effort", "It must be none, minimal, low, medium, high, xhigh or max.")
    if effort == "none":
        _put_no_thinking(body, rules)
    elif rules.thinking == "adaptive":
        _put_effort(effort, body, rules)
    elif rules.thinking == "never":
        raise _refused("reasoning_effort", "This model does not think.")
    elif "thinking" not in body:
        _put_budget(effort, body)


def _put_no_thinking(body: Json, rules: ClaudeModel) -> None:
    how = rules.without_thinking
    if how == "impossible" or (how == "between_tools" and "tools" in body):
        raise _refused("reasoning_effort", "This model always thinks.")
    if how != "unsaid":
        body["thinking"] = {"type": how}


def _put_effort(effort: str, body: Json, rules: ClaudeModel) -> None:
    level = "low" if effort == "minimal" else effort
    if level not in rules.efforts:
        raise _refused("reasoning_effort", f"This model has {', '.join(rules.efforts)}.")
    body["output_config"] = {**body.get("output_config", {}), "effort": level}
    if not _is_forced(body):  # a tool that must be called leaves no room to think; effort holds all the same
        body.setdefault("thinking", {"type": "adaptive", "display": "summarized"})


def _put_budget(effort: str, body: Json) -> None:
    if _is_forced(body):
        raise _refused("reasoning_effort", "This model cannot think where a tool must be called.")
    if _lacks_signed_thinking(body["messages"]):
        return  # calls that another model made, or whose state was not given back: the vendor refuses to think on them
    limit = body["max_tokens"]
    if not isinstance(limit, int) or limit <= _LEAST_BUDGET:
        raise _refused(
            "reasoning_effort", f"This model thinks only where more than {_LEAST_BUDGET} tokens are allowed."
        )
    budget = min(_BUDGETS[effort], max(_LEAST_BUDGET, limit * 4 // 5))
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _is_forced(body: Json) -> bool:
    choice = body.get("tool_choice")
    return isinstance(choice, dict) and choice.get("type") in ("any", "tool")


def _lacks_signed_thinking(turns: list[Json]) -> bool:
    """Whether results answer calls before which no signed thinking stands."""
    if len(turns) < 2 or turns[-1]["role"] != "user" or turns[-1]["content"][0]["type"] != "tool_result":
        return False
    return turns[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")


def put_sampling(given: Json, body: Json, rules: ClaudeModel) -> None:
    temperature, top_p = given.get("temperature"), given.get("top_p")
    thinks = isinstance(body.get("thinking"), dict) and body["thinking"].get("type") == "enabled"
    if isinstance(temperature, (int, float)) and temperature > 1:
        raise _refused("temperature", "Anthropic's goes from 0 to 1.")
    if temperature is not None and (rules.sampling != "none" or temperature != 1):
        if rules.sampling == "none":
            raise _refused("temperature", "This model takes none.")
        if thinks and temperature != 1:
            raise _refused("temperature", "This model takes none other than 1 while it thinks.")
        body["temperature"] = temperature
    if top_p is None or top_p == 1:
        return
    if rules.sampling == "none":
        raise _refused("top_p", "This model takes none.")
    if thinks and isinstance(top_p, (int, float)) and top_p < _LEAST_TOP_P:
        raise _refused("top_p", f"This model takes none below {_LEAST_TOP_P} while it thinks.")
    if rules.sampling == "one" and body.pop("temperature", 1) != 1:
        raise _refused("top_p", "This model takes temperature or top_p, not both.")
    body["top_p"] = top_p


# What the vendor's count of tokens takes of a request.
_COUNTED: Final = frozenset(
    {"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"}
)


def count_body(body: Json) -> Json:
    """The body of `POST /v1/messages/count_tokens` for the request `body`."""
    return {name: value for name, value in body.items() if name in _COUNTED}
