"""A chat in Gemini's words: the body of generateContent (ai.google.dev/api/generate-content).

Every field of a chat is carried, refused by its name, or listed here as one that asks nothing of the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiservice.providers._base import cannot_carry
from aiservice.providers._gemini.contents import Conversation
from aiservice.providers._gemini.models import Family, family_of
from aiservice.providers._gemini.parts import bad_request
from aiservice.wire import Ask, Json

MAX_STOPS = 5
# Fields that are carried as they are, under Google's name.
_PLAIN = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
}
_LIMIT = "max_completion_tokens"
_READ_ELSEWHERE = frozenset(
    {"messages", "n", "stop", "tools", "tool_choice", "response_format", "reasoning_effort", "reasoning", "logprobs",
     "top_logprobs"}
)  # fmt: skip
# Labels and hints: they ask nothing of the answer. How it is delivered is ours.
_LABELS = frozenset(
    {"model", "stream", "stream_options", "user", "metadata", "safety_identifier", "prompt_cache_key",
     "prompt_cache_retention", "prompt_cache_options", "cache_control"}
)  # fmt: skip
# What a chat has that is nothing but words and numbers: of all the rest, nothing need be looked for then.
_PLAINEST = _LABELS.union(_PLAIN, ("messages",))
# Tools that Google runs itself, by the one name that each has. What it keeps of a client's own files is not among them.
_OWN_TOOLS = frozenset(
    {"codeExecution", "code_execution", "enterpriseWebSearch", "enterprise_web_search", "googleMaps", "google_maps",
     "googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval", "urlContext", "url_context"}
)  # fmt: skip
# Fields that Gemini has no word for, with what they may say all the same: it is what happens anyway.
_NO_OPS: Mapping[str, Callable[[Any], bool]] = {
    "logit_bias": lambda value: value == {},
    "parallel_tool_calls": lambda value: value is True or value is False,  # see `wants_one_call`
    "store": lambda value: value is False,
    "service_tier": lambda value: value in ("auto", "default"),
    "modalities": lambda value: value == ["text"],
    "verbosity": lambda value: value == "medium",
    "functions": lambda value: value == [],
    "function_call": lambda value: value in ("auto", "none"),
}


def chat_body(ask: Ask, model: str, *, fetches_urls: bool = False) -> Json:
    """The request body for the chat `ask`; `fetches_urls`: where the service itself loads public addresses, whatever
    the model.

    Raises:
        AttemptFailed: a field that this model cannot carry, or that is malformed.
    """
    chat, family = ask.body, family_of(model)
    if fetches_urls and not family.fetches_urls:
        family = replace(family, fetches_urls=True)
    is_plain = _PLAINEST.issuperset(chat)
    if not is_plain:
        _refuse_others(chat)
    conversation = Conversation(family)
    messages = chat.get("messages")
    for place, message in enumerate(messages if isinstance(messages, list) else []):
        conversation.add(message, place)
    body = conversation.body()
    if is_plain:
        if config := _plain_config(chat):
            body["generationConfig"] = config
        return body
    tools, own = _tools(chat.get("tools"))
    if tools or own:
        body["tools"] = [*([{"functionDeclarations": tools}] if tools else ()), *own]
    calling = _calling(chat.get("tool_choice"))
    if calling is None and any(_is_strict(tool) for tool in chat.get("tools") or ()):
        calling = {"mode": "VALIDATED"}  # calls or words, and calls that keep to their schema
    if calling is not None and tools:
        body["toolConfig"] = {"functionCallingConfig": calling}
    elif calling is not None and calling["mode"] != "NONE":
        raise bad_request("tool_choice", "'tool_choice' asks for a tool, and there is none in 'tools'.")
    config = _config(chat, family, has_tools=bool(tools), is_stream=ask.is_stream)
    if config:
        body["generationConfig"] = config
    return body


def wants_one_call(ask: Ask) -> bool:
    """Whether a turn may hold one function call at most. Gemini cannot be asked for that: it is given the first's
    result alone, and calls the next one then."""
    return ask.body.get("parallel_tool_calls") is False


def _is_strict(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and function.get("strict") is True


def _refuse_others(chat: Json) -> None:
    for name, value in chat.items():
        if value is None or name in _PLAIN or name in _READ_ELSEWHERE or name in _LABELS:
            continue
        if name in _NO_OPS and _NO_OPS[name](value):
            continue
        raise cannot_carry(name, f"Gemini has no word for '{name}': leave it out, or pin a provider that has it.")


def _config(chat: Json, family: Family, *, has_tools: bool, is_stream: bool) -> Json:
    config = _plain_config(chat)
    choices = chat.get("n")
    if choices is not None and choices != 1:
        config["candidateCount"] = choices
    stops = _stops(chat.get("stop"))
    if stops:
        config["stopSequences"] = stops
    config |= _format(chat.get("response_format"), family, has_tools=has_tools)
    thinking = _thinking(chat, family)
    if thinking:
        config["thinkingConfig"] = thinking
    if chat.get("logprobs"):
        if is_stream:
            raise cannot_carry("logprobs", "Gemini's log probabilities are carried in whole answers only.")
        config["responseLogprobs"] = True
        if chat.get("top_logprobs"):
            config["logprobs"] = chat["top_logprobs"]
    return config


def _plain_config(chat: Json) -> Json:
    config: Json = {}
    for name, value in chat.items():
        if name in _PLAIN and value is not None:
            config[_PLAIN[name]] = value
    if chat.get(_LIMIT) is not None:  # where the older word is there, too, this one holds
        config[_PLAIN[_LIMIT]] = chat[_LIMIT]
    return config


def _stops(stop: object) -> list[str]:
    stops = [stop] if isinstance(stop, str) else ([] if stop is None else stop)
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise bad_request("stop", "'stop' must be text or a list of texts.")
    if len(stops) > MAX_STOPS:
        raise cannot_carry("stop", f"Gemini takes at most {MAX_STOPS} stop sequences.")
    return stops


def _format(wanted: object, family: Family, *, has_tools: bool) -> Json:
    if wanted is None:
        return {}
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return {}
    if not isinstance(wanted, dict) or kind not in ("json_object", "json_schema"):
        raise cannot_carry("response_format", "Gemini answers in text, as a JSON object or by a JSON schema.")
    if has_tools and not family.has_json_tools:
        raise cannot_carry("response_format", "This Gemini model gives no JSON where it is given tools.")
    config: Json = {"responseMimeType": "application/json"}
    if kind == "json_schema":
        described = wanted.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        if not isinstance(schema, dict):
            raise bad_request("response_format", "'response_format.json_schema.schema' must be a JSON schema.")
        config["responseJsonSchema"] = schema
    return config


def _thinking(chat: Json, family: Family) -> Json:
    """`thinkingConfig`. Who asks for thinking is shown it (as Google's summaries), unless they say otherwise."""
    effort, name, reasoning = chat.get("reasoning_effort"), "reasoning_effort", chat.get("reasoning")
    is_shown, budget = True, None
    if reasoning is not None:
        if not isinstance(reasoning, dict):
            raise bad_request("reasoning", "'reasoning' must be an object.")
        if effort is None:
            effort, name = reasoning.get("effort"), "reasoning.effort"
        budget, is_shown = reasoning.get("max_tokens"), reasoning.get("exclude") is not True
        if reasoning.get("enabled") is False:
            effort, name = "none", "reasoning.enabled"
    if budget is not None and effort != "none":
        if not family.is_thinking:
            raise cannot_carry("reasoning.max_tokens", "This Gemini model does not think.")
        config: Json = {"thinkingBudget": budget}
    elif effort is None:
        config = {}
        if reasoning is None or not family.is_thinking:
            return {}
    else:
        found = family.efforts.get(effort) if isinstance(effort, str) else None
        if found is None:
            words = ", ".join(family.efforts)
            raise cannot_carry(name, f"This Gemini model cannot be asked for that effort; it knows: {words}.")
        config = dict(found)
    if is_shown and effort != "none" and family.is_thinking:
        config["includeThoughts"] = True
    return config


def _tools(tools: object) -> tuple[list[Json], list[Json]]:
    """Functions, and the tools that Google runs itself, in its own words: `{"googleSearch": {}}`."""
    if tools is None:
        return [], []
    if not isinstance(tools, list):
        raise bad_request("tools", "'tools' must be a list.")
    own = [tool for tool in tools if is_own(tool)]
    return [_declaration(tool, f"tools[{n}]") for n, tool in enumerate(tools) if not is_own(tool)], own


def is_own(tool: object) -> bool:
    """Whether a tool is one that Google runs itself, in its own words."""
    return isinstance(tool, dict) and len(tool) == 1 and _OWN_TOOLS.issuperset(tool)


def _declaration(tool: object, where: str) -> Json:
    """A function by its JSON schema: the older `parameters` knows neither `$ref` nor `additionalProperties`."""
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        raise cannot_carry(
            where, "Gemini is given functions and tools of its own ({'googleSearch': {}}), nothing else."
        )
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str):
        raise bad_request(f"{where}.function", f"'{where}.function' must hold a name.")
    found: Json = {"name": name}
    if isinstance(function.get("description"), str):
        found["description"] = function["description"]
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise bad_request(f"{where}.function.parameters", f"'{where}.function.parameters' must be a JSON schema.")
    if schema:
        found["parametersJsonSchema"] = schema
    return found


def _calling(choice: object) -> Json | None:
    modes = {"none": "NONE", "required": "ANY", "any": "ANY"}
    if choice is None or choice == "auto":
        return None
    if isinstance(choice, str) and choice in modes:
        return {"mode": modes[choice]}
    if isinstance(choice, dict):
        if choice.get("type") == "allowed_tools":
            allowed = choice.get("allowed_tools")
            listed = allowed.get("tools") if isinstance(allowed, dict) else None
            if isinstance(allowed, dict) and isinstance(listed, list):
                mode = "ANY" if allowed.get("mode") == "required" else "VALIDATED"
                return {"mode": mode, "allowedFunctionNames": [_named(tool) for tool in listed]}
        if choice.get("type", "function") == "function":
            return {"mode": "ANY", "allowedFunctionNames": [_named(choice)]}
    raise cannot_carry("tool_choice", "Gemini cannot be given this choice of tools.")


def _named(choice: object) -> str:
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise bad_request("tool_choice", "'tool_choice' must name a function.")
    return name
