"""A chat in Ollama's words: settings are `options`, images bare base64, arguments of tool calls objects."""

from dataclasses import replace
from typing import Any

from aiservice.providers._base import cannot_carry, refuse_uncarried
from aiservice.providers._capabilities import NEUTRAL
from aiservice.providers._ollama.messages import messages_of
from aiservice.wire import Ask, Json

TITLE = "Ollama"
# What stands for what in `options`.
_OPTIONS = {
    "frequency_penalty": "frequency_penalty",
    "max_completion_tokens": "num_predict",
    "max_tokens": "num_predict",
    "min_p": "min_p",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repeat_penalty",
    "seed": "seed",
    "stop": "stop",
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
}
# Words of its own, which a client may use as they are.
_OWN = frozenset({"keep_alive", "logprobs", "options", "shift", "top_logprobs", "truncate"})
_READ_ELSEWHERE = frozenset(
    {
        "format",
        "messages",
        "model",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "stream",
        "stream_options",
        "think",
        "tool_choice",
        "tools",
    }
)
# What no answer depends on.
_LABELS = frozenset(
    {
        "metadata",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
_HAVING_NOTHING: tuple[Any, ...] = (None, False, [], {}, "", "auto", ["text"])
PARAMETERS = frozenset(_OPTIONS) | {"logprobs", "top_logprobs"}


def chat_body(ask: Ask, model: str) -> Json:
    """The request to /api/chat. A prompt that does not fit is to be an error: left to itself, Ollama cuts it off at the
    front and says nothing.

    Raises:
        AttemptFailed: something has no word there (named in `param`).
    """
    asked = ask.body
    body: Json = {"model": model, "messages": messages_of(asked.get("messages") or []), "stream": ask.is_stream}
    options = options_of(asked)
    if options:
        body["options"] = options
    _refuse_unknown(asked)
    body |= {name: asked[name] for name in _OWN - {"options"} if asked.get(name) is not None}
    body.setdefault("truncate", False)
    _add_tools(body, asked)
    _add_format(body, asked)
    _add_thinking(body, asked, model)
    return body


def generate_body(ask: Ask, model: str) -> Json:
    """The request to /api/generate for a prompt that is to be gone on with: the only one that fills a gap (`suffix`).

    Raises:
        AttemptFailed: as `chat_body`, and for what only OpenAI's completions have.
    """
    refuse_uncarried(replace(ask, uncarried=tuple(name for name in ask.uncarried if name != "suffix")), TITLE)
    body = chat_body(ask, model)
    (message,) = body.pop("messages")
    suffix = (ask.native or {}).get("suffix")
    return {**body, "prompt": message["content"], **({"suffix": suffix} if suffix else {})}


def options_of(asked: Json) -> Json:
    """The settings of a request, the client's own `options` before all."""
    options = {theirs: asked[ours] for ours, theirs in _OPTIONS.items() if asked.get(ours) is not None}
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    own = asked.get("options")
    return {**options, **own} if isinstance(own, dict) else options


def _refuse_unknown(asked: Json) -> None:
    for name in sorted(asked.keys() - _OPTIONS.keys() - _OWN - _READ_ELSEWHERE - _LABELS):
        value = asked[name]
        is_neutral = value in _HAVING_NOTHING or (name == "parallel_tool_calls" and value is True)
        if not is_neutral and value != NEUTRAL.get(name):
            raise cannot_carry(
                name, f"'{name}' cannot be carried to {TITLE}: leave it out, or choose another provider."
            )


def _add_tools(body: Json, asked: Json) -> None:
    tools, choice = asked.get("tools"), asked.get("tool_choice")
    if not tools or choice == "none":
        return
    if choice not in (None, "auto"):
        raise cannot_carry("tool_choice", f"{TITLE} cannot be made to call a tool: say 'auto' or leave it out.")
    for place, tool in enumerate(tools if isinstance(tools, list) else [tools]):
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise cannot_carry(f"tools[{place}]", f"{TITLE} has no tools but functions.")
    body["tools"] = tools


def _add_format(body: Json, asked: Json) -> None:
    wanted, own = asked.get("response_format"), asked.get("format")
    if own:
        body["format"] = own
    if not isinstance(wanted, dict) or wanted.get("type") in (None, "text"):
        return
    if wanted["type"] == "json_object":
        body["format"] = "json"
        return
    shape = wanted.get("json_schema")
    schema = shape.get("schema") if isinstance(shape, dict) else None
    if wanted["type"] != "json_schema" or not isinstance(schema, dict):
        raise cannot_carry("response_format", f"{TITLE} takes an answer's form as 'json_object' or a 'json_schema'.")
    body["format"] = schema


def _add_thinking(body: Json, asked: Json, model: str) -> None:
    """How much it thinks: one family takes levels, all others only yes or no."""
    if asked.get("think") is not None:
        body["think"] = asked["think"]
        return
    effort, said = asked.get("reasoning_effort"), asked.get("reasoning")
    if effort is None and isinstance(said, dict):
        effort = said.get("effort")
        if effort is None and ("enabled" in said or said.get("max_tokens")):
            effort = "medium" if said.get("enabled") is not False else "none"
    if not isinstance(effort, str):
        return
    if effort == "none":
        body["think"] = False
        return
    level = {"minimal": "low", "xhigh": "high", "max": "high"}.get(effort, effort)
    body["think"] = level if "gpt-oss" in model else True
