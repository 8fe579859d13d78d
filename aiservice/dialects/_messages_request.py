"""An Anthropic request in our form (docs.claude.com/en/api/messages).

What our form has no word for is named, not dropped. Hints that change no answer where nobody takes them (marks of
where a prompt cache should end, requests for diagnostics) are left out without a word.
"""

from typing import Any

from aiservice.dialects._messages_content import Conversation, wrong
from aiservice.dialects._messages_state import without_foreign
from aiservice.dialects._strict_schema import can_be_strict

Json = dict[str, Any]

_PLAIN = (("temperature", "temperature"), ("top_p", "top_p"), ("top_k", "top_k"), ("stop_sequences", "stop"))
_NUMBERS = frozenset({"temperature", "top_p", "top_k"})
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
# A budget of thinking tokens, up to which it is the effort named; past the last one it is "high".
_EFFORT_OF_BUDGET = ((4096, "low"), (16_384, "medium"))
_TIERS = {"auto": "auto", "standard_only": "default"}
_READ = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "system",
        "stream",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "output_format",
        "metadata",
        "service_tier",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        # Hints: see the module.
        "cache_control",
        "diagnostics",
    }
)
_UNCHANGED = {"speed": "standard", "container": None, "inference_geo": None}


def translated(body: Json, *, needs_limit: bool = True) -> tuple[Json, Json, tuple[str, ...]]:
    """The canonical chat body; the native body, without state that is not Anthropic's; and what the first has no word
    for.

    Raises:
        InvalidRequest: a field is missing or of the wrong shape (named in `param`).
    """
    messages = body.get("messages")
    if type(messages) is not list or not messages:
        raise wrong("messages", "must be a list of at least one message.")
    talk = Conversation()
    if body.get("system") is not None:
        talk.system(body["system"])
    for place, message in enumerate(messages):
        talk.add(message, place)
    chat: Json = {"messages": talk.messages}
    uncarried = talk.uncarried
    _limit(body, chat, uncarried, is_needed=needs_limit)
    for name, ours in _PLAIN:
        if body.get(name) is not None:
            chat[ours] = _checked(name, body[name])
    if "tools" in body or "tool_choice" in body:
        _tools(body, chat, uncarried)
    if not body.keys() <= _SIMPLE:
        _rest(body, chat, uncarried)
    return chat, without_foreign(body) if talk.has_foreign_state else body, tuple(uncarried)


_SIMPLE = _READ - {"thinking", "output_config", "output_format", "metadata", "service_tier"}


def _limit(body: Json, chat: Json, uncarried: list[str], *, is_needed: bool) -> None:
    limit = body.get("max_tokens")
    if limit is None and not is_needed:
        return
    if type(limit) is not int or limit < 0:
        raise wrong("max_tokens", "is missing." if limit is None else "must be a whole number, 0 or more.")
    if limit == 0:  # fills Anthropic's prompt cache and generates nothing
        uncarried.append("max_tokens")
    chat["max_tokens"] = limit


def _checked(name: str, value: object) -> object:
    if name in _NUMBERS:
        if type(value) not in (int, float):
            raise wrong(name, "must be a number.")
    elif type(value) is not list or not all(type(item) is str for item in value):
        raise wrong(name, "must be a list of texts.")
    return value


def _rest(body: Json, chat: Json, uncarried: list[str]) -> None:
    """The fields that most requests do not have."""
    metadata = _object_in(body, "metadata")
    if metadata.get("user_id") is not None:
        if type(metadata["user_id"]) is not str:
            raise wrong("metadata.user_id", "must be a text.")
        chat["user"] = metadata["user_id"]
    tier = body.get("service_tier")
    if tier is not None:
        if not isinstance(tier, str) or tier not in _TIERS:
            raise wrong("service_tier", "must be 'auto' or 'standard_only'.")
        chat["service_tier"] = _TIERS[tier]
    config = _object_in(body, "output_config")
    effort = _effort(_object_in(body, "thinking"), config)
    if effort is not None:
        chat["reasoning_effort"] = effort
    wanted = config.get("format") or body.get("output_format")
    if wanted is not None:
        chat["response_format"] = _response_format(wanted)
    uncarried.extend(f"output_config.{name}" for name in config if name not in ("effort", "format"))
    for name, value in body.items():
        if name in _READ or (name in _UNCHANGED and value in (None, _UNCHANGED[name])):
            continue
        if name == "context_management" and _only_clears(value):
            continue
        uncarried.append(name)


def _effort(thinking: Json, config: Json) -> str | None:
    """The `reasoning_effort` of `output_config.effort`, else of the budget; None leaves it to the model, and so does
    thinking switched off, which is also what absence says."""
    kind, effort = thinking.get("type"), config.get("effort")
    if thinking and kind not in ("enabled", "adaptive", "disabled", "between_tools"):
        raise wrong("thinking.type", "must be 'enabled', 'adaptive', 'between_tools' or 'disabled'.")
    if effort is not None:
        if not isinstance(effort, str) or effort not in _EFFORTS:
            raise wrong("output_config.effort", "must be 'low', 'medium', 'high', 'xhigh' or 'max'.")
        return effort
    if kind != "enabled":
        return None
    budget = thinking.get("budget_tokens")
    if type(budget) is not int or budget < 1:
        raise wrong("thinking.budget_tokens", "must be a whole number above 0.")
    return next((name for limit, name in _EFFORT_OF_BUDGET if budget <= limit), "high")


def _only_clears(value: object) -> bool:
    """Whether context management only leaves out old parts of the prompt: who sees them all answers no worse."""
    edits = value.get("edits") if isinstance(value, dict) else None
    return isinstance(edits, list) and all(
        isinstance(edit, dict) and str(edit.get("type", "")).startswith("clear_") for edit in edits
    )


def _response_format(wanted: object) -> Json:
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise wrong("output_config.format.type", "must be 'json_schema'.")
    schema = wanted.get("schema")
    if type(schema) is not dict:
        raise wrong("output_config.format.schema", "must be a JSON schema (an object).")
    return {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": schema, "strict": can_be_strict(schema)},
    }


def _tools(body: Json, chat: Json, uncarried: list[str]) -> None:
    tools = body.get("tools")
    if tools is not None:
        if type(tools) is not list:
            raise wrong("tools", "must be a list of tools.")
        carried = [tool for place, given in enumerate(tools) for tool in _tool(given, f"tools.{place}", uncarried)]
        if carried:
            chat["tools"] = carried
    choice = body.get("tool_choice")
    if choice is None:
        return
    if type(choice) is not dict:
        raise wrong("tool_choice", "must be an object with 'type'.")
    kind = choice.get("type")
    if kind == "tool":
        if type(choice.get("name")) is not str:
            raise wrong("tool_choice.name", "must name a tool.")
        chat["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif kind in ("auto", "any", "none"):
        chat["tool_choice"] = "required" if kind == "any" else kind
    else:
        raise wrong("tool_choice.type", "must be 'auto', 'any', 'tool' or 'none'.")
    if choice.get("disable_parallel_tool_use") is True:
        chat["parallel_tool_calls"] = False


def _tool(tool: object, path: str, uncarried: list[str]) -> list[Json]:
    """The function for a tool of the client's own; nothing for one that Anthropic defines or runs (noted)."""
    if type(tool) is not dict:
        raise wrong(path, "must be an object.")
    kind = tool.get("type")
    if kind not in (None, "custom"):
        uncarried.append(f"{path} ({str(kind)[:60]})")
        return []
    name, schema = tool.get("name"), tool.get("input_schema")
    if type(name) is not str or not name:
        raise wrong(f"{path}.name", "must be the tool's name.")
    if type(schema) is not dict:
        raise wrong(f"{path}.input_schema", "must be a JSON schema (an object).")
    function: Json = {"name": name, "parameters": schema}
    if tool.get("description") is not None:
        function["description"] = tool["description"]
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    # `defer_loading` keeps a tool out of sight until a search has found it: who sees them all needs no search.
    if tool.get("input_examples"):
        uncarried.append(f"{path}.input_examples")
    if tool.get("allowed_callers") not in (None, ["direct"]):
        uncarried.append(f"{path}.allowed_callers")
    carried: Json = {"type": "function", "function": function}
    if tool.get("cache_control") is not None:
        carried["cache_control"] = tool["cache_control"]
    return [carried]


def _object_in(body: Json, name: str) -> Json:
    value = body.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise wrong(name, "must be an object.")
    return value
