"""A chat (OpenAI's form) as the body of Converse (API reference, "Converse").

Every field is carried, refused by its name, or asks nothing of the answer: nothing is dropped in silence.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from aiservice.providers._anthropic_models import claude_model
from aiservice.providers._anthropic_request import closed, put_sampling, put_thinking
from aiservice.providers._anthropic_tools import wants_json_tool
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._bedrock.models import Family, family_of
from aiservice.providers._bedrock.tools import tool_config
from aiservice.providers._bedrock.turns import Conversation
from aiservice.wire import Ask, Json

_CARRIED: Final = frozenset(
    {"max_completion_tokens", "max_tokens", "messages", "metadata", "parallel_tool_calls", "reasoning_effort",
     "response_format", "service_tier", "stop", "temperature", "tool_choice", "tools", "top_k", "top_p"}
)  # fmt: skip
# This wire's own words, which a client of chat completions may add; passed on as they are.
_OWN: Final = (
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
)
# What Claude has words for, in its maker's own wire: they travel in `additionalModelRequestFields`.
_CLAUDES: Final = ("anthropic_beta", "thinking")
# Labels and hints: they ask nothing of the answer. How it is delivered is ours.
_LABELS: Final = frozenset(
    {"cache_control", "model", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
     "safety_identifier", "stream", "stream_options", "user"}
)  # fmt: skip
# What a chat has that is nothing but words: of all the rest, nothing need be looked for then.
_PLAIN: Final = _LABELS | {"max_completion_tokens", "max_tokens", "messages", "stop"}
# Fields without a word in Converse, with what they may say all the same: it is what happens anyway.
_NO_OPS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "frequency_penalty": lambda value: value == 0,
    "function_call": lambda value: value in ("auto", "none"),
    "functions": lambda value: value == [],
    "logit_bias": lambda value: value == {},
    "logprobs": lambda value: value is False,
    "modalities": lambda value: value == ["text"],
    "n": lambda value: value == 1,
    "presence_penalty": lambda value: value == 0,
    "store": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "verbosity": lambda value: value == "medium",
}
_LABEL: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}", re.ASCII)
_MAX_LABELS: Final = 16
_TIERS: Final = frozenset({"default", "flex", "priority", "reserved"})
_NOVA_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}
_OPENAI_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}


def converse_body(ask: Ask, model: str) -> Json:
    """The body for `model`.

    Raises:
        AttemptFailed: `ask` holds something that this wire or model cannot carry (named in `param`).
    """
    chat, family = ask.body, family_of(model)
    is_plain = _PLAIN.issuperset(chat)
    if not is_plain:
        _refuse_others(chat, family)
    is_claude = family.effort == "claude"
    said = Conversation(model, has_later_system=is_claude and claude_model(model).has_later_system)
    messages = chat.get("messages")
    for place, message in enumerate(messages if isinstance(messages, list) else []):
        said.add(message, place)
    said.end()
    if not said.turns:
        raise cannot_carry("messages", "'messages' was not accepted: they say nothing.")
    body: Json = {"messages": said.turns}
    if said.system:
        body["system"] = said.system
    inference = _inference(chat)
    if is_plain and not is_claude and not said.called:
        if inference:
            body["inferenceConfig"] = inference
        return body
    body.update({name: chat[name] for name in _OWN if chat.get(name) is not None})
    tools = tool_config(chat, family, said.called)
    if tools:
        body["toolConfig"] = tools
    extra: Json = {}
    if is_claude:
        _put_claudes(chat, model, body, inference, extra)
    else:
        _put_sampling(chat, inference)
        _put_effort(chat, model, family, extra)
    _put_top_k(chat, model, family, extra)
    if inference:
        body["inferenceConfig"] = inference
    if extra:
        given = body.get("additionalModelRequestFields")
        body["additionalModelRequestFields"] = {**extra, **(given if isinstance(given, dict) else {})}
    _put_format(chat, model, body, is_claude=is_claude)
    _put_labels(chat, body)
    return body


def wants_one_call(ask: Ask) -> bool:
    """Whether a turn may hold one call at most. Converse cannot be asked for that: the calls behind the first are left
    out, and the model makes them when it has the first's result."""
    return ask.body.get("parallel_tool_calls") is False


def may_call(ask: Ask) -> bool:
    """Whether a call is an answer. Where calls stand in the messages, Converse demands their tools and has no word for
    "none": what the client offered no tool for is none."""
    chat = ask.body
    if chat.get("tools") and chat.get("tool_choice") != "none":
        return True
    messages = chat.get("messages")
    for each in messages if isinstance(messages, list) else ():
        if isinstance(each, dict) and each.get("tool_calls"):
            return False
    return True


def _refuse_others(chat: Json, family: Family) -> None:
    for name, value in chat.items():
        if value is None or name in _CARRIED or name in _OWN or name in _LABELS:
            continue
        if name in _NO_OPS and _NO_OPS[name](value):
            continue
        if name in _CLAUDES and family.effort == "claude":
            continue
        raise cannot_carry(name, f"Bedrock has no word for '{name}': leave it out, or pin a provider that has it.")


def _inference(chat: Json) -> Json:
    inference: Json = {}
    for name in ("max_completion_tokens", "max_tokens"):
        if chat.get(name) is not None:
            inference["maxTokens"] = chat[name]
            break
    stop = chat.get("stop")
    sequences = [stop] if isinstance(stop, str) else stop
    if sequences:
        if not isinstance(sequences, list) or not all(isinstance(each, str) and each for each in sequences):
            raise cannot_carry("stop", "'stop' must be text or a list of texts.")
        inference["stopSequences"] = sequences
    return inference


def _put_sampling(chat: Json, inference: Json) -> None:
    for name, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        value = chat.get(name)
        if value is None:
            continue
        if isinstance(value, (int, float)) and value > 1:
            raise cannot_carry(name, f"'{name}' was not accepted: Bedrock's goes from 0 to 1.")
        inference[theirs] = value


def _put_claudes(chat: Json, model: str, body: Json, inference: Json, extra: Json) -> None:
    """Thinking and sampling by Claude's own rules, which its maker's wire and this one share."""
    rules = claude_model(model)
    scratch: Json = {
        "max_tokens": inference.get("maxTokens", rules.max_tokens),
        "messages": [_outline(turn) for turn in body["messages"]],
    }
    if "toolConfig" in body:
        scratch["tools"] = []
        choice = next(iter(body["toolConfig"].get("toolChoice") or {}), None)
        if choice is not None:
            scratch["tool_choice"] = {"type": choice}
    if isinstance(chat.get("thinking"), dict):
        scratch["thinking"] = chat["thinking"]
    put_thinking(chat, scratch, rules)
    put_sampling(chat, scratch, rules)
    for ours, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        if ours in scratch:
            inference[theirs] = scratch[ours]
    if "thinking" in scratch:
        extra["thinking"] = scratch["thinking"]
        if scratch["thinking"].get("type") == "enabled":  # the budget is a part of it
            inference.setdefault("maxTokens", scratch["max_tokens"])
    if "output_config" in scratch:
        body["outputConfig"] = scratch["output_config"]
    if chat.get("anthropic_beta"):
        extra["anthropic_beta"] = chat["anthropic_beta"]


def _outline(turn: Json) -> Json:
    """A turn as far as Claude's rules of thinking look at it: what its first block is."""
    first: Json = turn["content"][0]
    if "toolResult" in first:
        kind = "tool_result"
    elif "reasoningContent" in first:
        kind = "thinking"
    else:
        kind = "text"
    return {"role": turn["role"], "content": [{"type": kind}]}


def _put_effort(chat: Json, model: str, family: Family, extra: Json) -> None:
    effort = chat.get("reasoning_effort")
    if effort is None:
        return
    if family.effort == "nova":
        if effort == "none":
            extra["reasoningConfig"] = {"type": "disabled"}
            return
        if isinstance(effort, str) and effort in _NOVA_EFFORTS:
            extra["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": _NOVA_EFFORTS[effort]}
            return
    elif family.effort == "openai" and isinstance(effort, str) and effort in _OPENAI_EFFORTS:
        extra["reasoning_effort"] = _OPENAI_EFFORTS[effort]
        return
    elif effort == "none" and family.can.reasoning is False:
        return
    raise cannot_carry("reasoning_effort", f"'reasoning_effort' cannot be carried to '{model}': leave it out.")


def _put_top_k(chat: Json, model: str, family: Family, extra: Json) -> None:
    value = chat.get("top_k")
    if value is None:
        return
    if not family.top_k:
        raise cannot_carry("top_k", f"'top_k' cannot be carried to '{model}': leave it out.")
    for name in reversed(family.top_k):
        value = {name: value}
    extra.update(value)


def _put_format(chat: Json, model: str, body: Json, *, is_claude: bool) -> None:
    wanted = chat.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else wanted
    if kind in (None, "text") or wants_json_tool(chat):
        return
    described = wanted.get("json_schema") if isinstance(wanted, dict) and kind == "json_schema" else None
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(described, dict) or not isinstance(schema, dict):
        raise _not_a_format()
    if is_claude and not claude_model(model).has_schemas:
        raise cannot_carry("response_format", f"'{model}' has no structured output: choose another model.")
    shape: Json = {"schema": orjson.dumps(closed(schema) if is_claude else schema).decode()}
    shape.update({name: described[name] for name in ("name", "description") if described.get(name)})
    form = {"type": "json_schema", "structure": {"jsonSchema": shape}}
    body["outputConfig"] = {**body.get("outputConfig", {}), "textFormat": form}


def _not_a_format() -> AttemptFailed:
    message = "'response_format' must be of type text, json_object, or json_schema with a 'schema'."
    return cannot_carry("response_format", message)


def _labels(metadata: Json) -> dict[str, str]:
    """What the vendor takes of a client's labels: no request fails for one that it would not."""
    told = {name: str(value) for name, value in metadata.items() if _LABEL.fullmatch(name)}
    return dict([each for each in told.items() if _LABEL.fullmatch(each[1])][:_MAX_LABELS])


def _put_labels(chat: Json, body: Json) -> None:
    metadata = chat.get("metadata")
    labels = _labels(metadata) if isinstance(metadata, dict) else {}
    if labels:
        body.setdefault("requestMetadata", labels)
    tier = chat.get("service_tier")
    if tier is None or tier == "auto":
        return
    if not isinstance(tier, str) or tier not in _TIERS:
        raise cannot_carry("service_tier", "'service_tier' must be auto, default, flex, priority or reserved.")
    body["serviceTier"] = {"type": tier}
