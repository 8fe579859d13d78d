"""What a model can do, what a request needs, and what of that is missing.

What a model can do is data of its vendor (`Provider.capabilities`), before which goes what it was shown to do
(`_shown`); the context length comes from the price table where the vendor's own data does not have it, and what an
admin states of a connection goes before all.
"""

import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from aiservice.kit.price_table import ModelInfo, get_snapshot
from aiservice.kit.price_table import Provider as PriceTable
from aiservice.providers import registry, when_changed
from aiservice.providers._capabilities import NEUTRAL, PARAMETERS, UNKNOWN, Capabilities
from aiservice.providers._shown import shown_of
from aiservice.wire import Ask, Json

__all__ = ["Capabilities", "Requirements", "Stated", "capabilities_of", "missing", "published", "requirements_of"]

# What an admin states: (model, or "" for all of the connection; the field's name; its value).
Stated = tuple[str, str, bool | int | tuple[str, ...]]

# A server that only speaks OpenAI's wire: who runs it, if anybody known, is told by its address.
ANONYMOUS_KINDS = frozenset({"openai-compatible"})
# Our connection kinds where the table has another name; all others go by their own.
_TABLE_NAMES = {
    "azure-openai": "azure",
    "bedrock": "aws",
    "bedrock-mantle": "aws",
    "gemini": "google",
    "gemini-interactions": "google",
    "grok": "x-ai",
    "moonshot": "moonshotai",
    "vertex": "google",
    "voyage": "voyageai",
    "xai": "x-ai",
}
NUMBERS = frozenset({"context_tokens", "output_tokens"})
FLAGS = frozenset(field.name for field in fields(Capabilities)) - NUMBERS - {"parameters"}

# A prompt's tokens are estimated from its characters. It is only said not to fit where a token would need this many
# times as many characters as usual: a prompt near the limit is the vendor's to judge.
_CERTAINTY = 1.5
_MEDIA = {
    "image_url": "images",
    "input_image": "images",
    "file": "documents",
    "input_file": "documents",
    "input_audio": "audio",
    "video_url": "video",
}
_WITH_FEATURES = frozenset({"tools", "tool_choice", "response_format", "reasoning_effort", "modalities"})
_NONE: frozenset[str] = frozenset()


@dataclass(slots=True)
class Requirements:
    """What a request needs of a model. `features` are names of fields of `Capabilities`, `parameters` those that do not
    say what happens anyway; `prompt_tokens` is an estimate, `output_tokens` what the answer may be at most."""

    features: frozenset[str]
    parameters: frozenset[str]
    prompt_tokens: int = 0
    output_tokens: int = 0


@lru_cache(maxsize=4096)
def capabilities_of(kind: str, model: str, base_url: str = "", stated: tuple[Stated, ...] = ()) -> Capabilities:
    """What `model` can do behind a connection of `kind`; an unknown kind or model knows nothing."""
    provider = registry().get(kind)
    found = UNKNOWN if provider is None else provider.capabilities(model)
    shown: dict[str, Any] = {name: True for name in shown_of(kind, model) if name in FLAGS}
    found = replace(found, **shown) if shown else found  # what was seen goes before what a vendor's data says
    if found.context_tokens is None:
        info = published(kind, base_url, model)
        if info is not None and info.context_window:
            found = replace(found, context_tokens=info.context_window)
    for whose in ("", model):  # what is stated of the model itself goes before what is stated of all
        own = {name: frozenset(value) if isinstance(value, tuple) else value for m, name, value in stated if m == whose}
        found = replace(found, **own) if own else found  # type: ignore[arg-type]  # checked where it is stored
    return found


when_changed(capabilities_of.cache_clear)


def published(kind: str, base_url: str, model: str) -> ModelInfo | None:
    """The model in the table of prices and context lengths, under who runs it: the address says that first, then the
    kind."""
    providers = get_snapshot().providers
    owner = _owner(providers, kind, base_url)
    return owner.find_model(model, all_providers=providers) if owner else None


def _owner(providers: list[PriceTable], kind: str, base_url: str) -> PriceTable | None:
    for provider in providers if base_url else ():
        if re.match(provider.api_pattern, base_url):
            return provider
    if kind in ANONYMOUS_KINDS:
        return None
    name = _TABLE_NAMES.get(kind, kind)
    return next((provider for provider in providers if provider.id == name), None)


def requirements_of(ask: Ask, prompt_tokens: int = 0) -> Requirements:
    """What `ask` needs. Microseconds, but to be asked for only where candidates differ in what they can."""
    body = ask.body
    used = body.keys() & PARAMETERS
    output = 0
    if used:
        used = {name for name in used if body[name] is not None and body[name] != NEUTRAL.get(name)}
        if "max_tokens" in used or "max_completion_tokens" in used:
            output = _limit(body)
    features: set[str] = set()
    if ask.is_stream:
        features.add("streaming")
    if not body.keys().isdisjoint(_WITH_FEATURES):
        _add_features(body, features)
    messages = body.get("messages")
    if type(messages) is list:
        for message in messages:
            if type(message) is dict:
                if message.get("role") in ("system", "developer"):
                    features.add("system")
                content = message.get("content")
                if type(content) is list:
                    _add_media(content, features)
    return Requirements(frozenset(features), frozenset(used) if used else _NONE, prompt_tokens, output)


def missing(requirements: Requirements, capabilities: Capabilities, *, is_strict: bool = False) -> tuple[str, ...]:
    """What of `requirements` the model does not honour, by name and in alphabetical order: features, parameters,
    `context_tokens`, `output_tokens`. Where nobody knows, it is not missing, unless `is_strict`."""
    failing = (False, None) if is_strict else (False,)
    found = [name for name in requirements.features if getattr(capabilities, name) in failing]
    known = capabilities.parameters
    if known is not None:
        found += requirements.parameters - known
    elif is_strict:
        found += requirements.parameters
    context, longest = capabilities.context_tokens, capabilities.output_tokens
    if context is not None and requirements.prompt_tokens > context * _CERTAINTY:
        found.append("context_tokens")
    if longest is not None and requirements.output_tokens > longest:
        found.append("output_tokens")
    return tuple(sorted(found))


def _limit(body: Json) -> int:
    given = body.get("max_completion_tokens")
    if given is None:
        given = body.get("max_tokens")
    return given if type(given) is int else 0


def _add_features(body: Json, features: set[str]) -> None:
    wanted, effort, choice = body.get("response_format"), body.get("reasoning_effort"), body.get("tool_choice")
    tools, kinds = bool(body.get("tools")) and choice != "none", body.get("modalities")
    if tools:
        features.add("tools")
        if choice in ("required", "any") or (type(choice) is dict and choice.get("type") != "allowed_tools"):
            features.add("forced_tools")
    if type(wanted) is dict and wanted.get("type") in ("json_schema", "json_object"):
        features.add(f"{wanted['type']}_with_tools" if tools else wanted["type"])
    if effort is not None and effort != "none":
        features.add("reasoning")
    if type(kinds) is list and "audio" in kinds:
        features.add("audio_output")


def _add_media(parts: list[Any], features: set[str]) -> None:
    for part in parts:
        kind = part.get("type") if type(part) is dict else None
        if type(kind) is str and kind in _MEDIA:
            features.add(_MEDIA[kind])
