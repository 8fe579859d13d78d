"""A chat in Cohere's words: the body of /v2/chat (docs.cohere.com/reference/chat).

Every field of a chat is carried, refused by its name, or listed here as one that asks nothing of the answer.
"""

from typing import Any

from aiservice.providers._base import cannot_carry
from aiservice.providers._capabilities import NEUTRAL
from aiservice.providers._cohere.messages import Conversation
from aiservice.providers._cohere.models import TITLE, thinks
from aiservice.wire import Ask, Json

_MAX_STOPS = 5
_MOST_TOP_P = 0.99  # it takes no 1, and means 0.75 where nothing is said
# Behind the older name of a limit: where both are there, the newer one holds.
_CARRIED = {
    "frequency_penalty": "frequency_penalty",
    "logprobs": "logprobs",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "temperature": "temperature",
    "top_k": "k",
}
# Words of its own, which a client may use as they are.
_OWN = frozenset(
    {"citation_options", "documents", "k", "p", "priority", "safety_mode", "stop_sequences", "strict_tools", "thinking"}
)
_READ_ELSEWHERE = frozenset(
    {"messages", "parallel_tool_calls", "reasoning", "reasoning_effort", "response_format", "stop", "tool_choice",
     "tools", "top_p"}
)  # fmt: skip
# Labels and hints: they ask nothing of the answer. How it is delivered is ours.
_LABELS = frozenset(
    {"cache_control", "metadata", "model", "prediction", "prompt_cache_key", "prompt_cache_retention",
     "safety_identifier", "service_tier", "store", "stream", "stream_options", "user"}
)  # fmt: skip
_HAVING_NOTHING: tuple[Any, ...] = (None, False, [], {}, "", ["text"])
_NO_PARAMETERS = {"type": "object", "properties": {}}
_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_000, "max": 48_000}


def chat_body(ask: Ask, model: str) -> Json:
    """The request body for the chat `ask`.

    Raises:
        AttemptFailed: a field that this model cannot carry (named in `param`).
    """
    asked = ask.body
    _refuse_others(asked)
    conversation = Conversation(is_thinking=thinks(model))
    for place, message in enumerate(asked.get("messages") or ()):
        conversation.add(message, place)
    conversation.end()
    body: Json = {"model": model, "messages": conversation.messages, "stream": ask.is_stream}
    body |= {theirs: asked[ours] for ours, theirs in _CARRIED.items() if asked.get(ours) is not None}
    if asked.get("logprobs") and ask.is_stream:
        raise cannot_carry("logprobs", f"{TITLE}'s log probabilities are carried in whole answers only.")
    if (top_p := asked.get("top_p")) is not None:
        body["p"] = min(top_p, _MOST_TOP_P) if isinstance(top_p, (int, float)) else top_p
    _add_stops(body, asked.get("stop"))
    if conversation.documents:
        body["documents"] = conversation.documents
    _add_tools(body, asked)
    _add_format(body, asked)
    _add_thinking(body, asked, model)
    own = {name: asked[name] for name in _OWN if asked.get(name) is not None}
    if "documents" in own and conversation.documents:
        raise cannot_carry("documents", "Give documents in the messages or in 'documents', not in both.")
    return {**body, **own}


def wants_one_call(ask: Ask) -> bool:
    """Whether a turn may hold one tool call at most. Cohere cannot be asked for that: it is given the first's result
    alone, and makes the next one then."""
    return ask.body.get("parallel_tool_calls") is False


def _refuse_others(asked: Json) -> None:
    for name in sorted(asked.keys() - _CARRIED.keys() - _OWN - _READ_ELSEWHERE - _LABELS):
        value = asked[name]
        if value not in _HAVING_NOTHING and value != NEUTRAL.get(name):
            raise cannot_carry(
                name, f"'{name}' cannot be carried to {TITLE}: leave it out, or choose another provider."
            )
    for name in ("frequency_penalty", "presence_penalty"):
        value = asked.get(name)
        if isinstance(value, (int, float)) and not 0 <= value <= 1:
            raise cannot_carry(name, f"{TITLE} takes a '{name}' from 0 to 1.")


def _add_stops(body: Json, stop: Any) -> None:
    if not stop:
        return
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > _MAX_STOPS:
        raise cannot_carry("stop", f"{TITLE} takes at most {_MAX_STOPS} stop sequences.")
    body["stop_sequences"] = stops


def _add_tools(body: Json, asked: Json) -> None:
    """Tools and the choice among them. It can be made to call a tool, but not a certain one: then that is all it is
    given."""
    tools = asked.get("tools")
    if not tools:
        return
    given = tools if isinstance(tools, list) else [tools]
    made = [_tool(tool, f"tools[{n}]") for n, tool in enumerate(given)]
    names, choice = _chosen(asked.get("tool_choice"))
    if names is not None:
        made = [tool for tool in made if tool["function"]["name"] in names]
        if not made:
            raise cannot_carry("tool_choice", "'tool_choice' names a tool that is not in 'tools'.")
    body["tools"] = made
    if choice is not None:
        body["tool_choice"] = choice
    if any(tool["function"].get("strict") is True for tool in given):
        body["strict_tools"] = True


def _tool(tool: Any, where: str) -> Json:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or tool.get("type", "function") != "function":
        raise cannot_carry(where, f"{TITLE} has no tools but functions.")
    kept = {name: function[name] for name in ("name", "description") if function.get(name) is not None}
    return {"type": "function", "function": {**kept, "parameters": function.get("parameters") or _NO_PARAMETERS}}


def _chosen(choice: Any) -> tuple[frozenset[str] | None, str | None]:
    """The tools it may choose from (None: all), and Cohere's word for whether it must."""
    if choice is None or choice == "auto":
        return None, None
    if choice in ("none", "required", "any"):
        return None, "NONE" if choice == "none" else "REQUIRED"
    if isinstance(choice, dict) and choice.get("type") == "function" and isinstance(choice.get("function"), dict):
        return frozenset({choice["function"].get("name")}), "REQUIRED"
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if isinstance(allowed, dict) and isinstance(allowed.get("tools"), list):
        functions = [tool.get("function") for tool in allowed["tools"] if isinstance(tool, dict)]
        names = frozenset(each["name"] for each in functions if isinstance(each, dict) and "name" in each)
        return names, "REQUIRED" if allowed.get("mode") == "required" else None
    raise cannot_carry("tool_choice", f"{TITLE} cannot be given this choice of tools.")


def _add_format(body: Json, asked: Json) -> None:
    wanted = asked.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") in (None, "text"):
        return
    if "tools" in body:
        raise cannot_carry("response_format", f"{TITLE} gives no JSON where it is given tools.")
    described = wanted.get("json_schema")
    made: Json = {"type": "json_object"}
    if wanted["type"] == "json_schema":
        schema = described.get("schema") if isinstance(described, dict) else None
        if not isinstance(schema, dict):
            raise cannot_carry("response_format", "'response_format.json_schema.schema' must be a JSON schema.")
        made["json_schema"] = schema
    elif wanted["type"] != "json_object":
        raise cannot_carry("response_format", f"{TITLE} takes an answer's form as 'json_object' or a 'json_schema'.")
    elif isinstance(described, dict):  # its own form: a schema without a name around it
        made["json_schema"] = described
    body["response_format"] = made


def _add_thinking(body: Json, asked: Json, model: str) -> None:
    effort, name, said = asked.get("reasoning_effort"), "reasoning_effort", asked.get("reasoning")
    budget = None
    if isinstance(said, dict):
        if effort is None:
            effort, name = said.get("effort"), "reasoning.effort"
        budget = said.get("max_tokens")
        if said.get("exclude") is True:
            raise cannot_carry("reasoning.exclude", f"{TITLE} shows what it thinks: leave 'exclude' out.")
        if effort is None and isinstance(said.get("enabled"), bool):
            effort, name = ("none" if said["enabled"] is False else "medium"), "reasoning.enabled"
    if effort is None and budget is None:
        return
    if not thinks(model):
        if effort in ("none", None) and not budget:
            return
        raise cannot_carry(name, f"'{model}' does not think: leave '{name}' out, or choose a reasoning model.")
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
        return
    budget = _BUDGETS.get(effort) if budget is None and isinstance(effort, str) else budget
    if budget is None:
        raise cannot_carry(name, f"It must be none, {', '.join(_BUDGETS)}.")
    body["thinking"] = {"type": "enabled", "token_budget": budget}
