"""What differs between the models of Bedrock, by their names: ids, inference profiles, ARNs.

From the vendor's table of what Converse has for whom (docs.aws.amazon.com/bedrock/latest/userguide,
"conversation-inference-supported-models-features"), the models' own pages there, and recorded refusals. Nothing is said
of a model that is not in it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from aiservice.providers import _anthropic_models
from aiservice.providers._capabilities import LIMITS, SAMPLING, Capabilities
from aiservice.wire import AskKind

REASONING_FORMAT: Final = "amazon-bedrock-v1"
CLAUDE_FORMAT: Final = "anthropic-claude-v1"
_EMBEDS: Final = re.compile(r"embed", re.IGNORECASE)
_RERANKS: Final = re.compile(r"rerank", re.IGNORECASE)
_DRAWS: Final = re.compile(r"canvas|reel|titan-image|stability\.|stable-|luma\.|twelvelabs|sonic", re.IGNORECASE)
# Requests through an inference profile go to the model behind its prefix.
_PROFILE: Final = re.compile(r"(?:us|eu|apac|jp|au|ca|sa|us-gov|global)\.(?=[a-z0-9-]+\.)")
_ALWAYS: Final = LIMITS | SAMPLING | {"parallel_tool_calls", "service_tier", "stop"}


@dataclass(slots=True, frozen=True)
class Family:
    """How models of one maker are asked for what Converse has no field for.

    `top_k` is where it stands in `additionalModelRequestFields`. `effort` says by what a model is told how hard to
    think. `can_force` one tool by its name, `can_require` any tool.
    """

    pattern: str
    can: Capabilities
    top_k: tuple[str, ...] = ()
    effort: Literal["claude", "nova", "openai", "never"] = "never"
    can_force: bool = False
    can_require: bool = False


def _can(*parameters: str, **said: bool) -> Capabilities:
    """What a model can do beside what all can: `said`, and the `parameters` that it takes beside the usual ones."""
    flags: dict[str, Any] = {"streaming": True, "system": True, "audio": False, "audio_output": False, "video": False}
    return Capabilities(**{**flags, **said}, parameters=_ALWAYS.union(parameters))


_TEXT_ONLY: Final = {"images": False, "documents": False}
_FAMILIES: Final = tuple(
    (re.compile(family.pattern), family)
    for family in (
        Family(r"anthropic\.claude|claude-", Capabilities(), ("top_k",), "claude", can_force=True, can_require=True),
        Family(
            r"amazon\.nova-2",
            _can("top_k", tools=True, forced_tools=True, images=True, documents=True, video=True, reasoning=True),
            ("inferenceConfig", "topK"),
            "nova",
            can_force=True,
            can_require=True,
        ),
        Family(
            r"amazon\.nova-micro",
            _can("top_k", tools=True, **_TEXT_ONLY, forced_tools=True, reasoning=False),
            ("inferenceConfig", "topK"),
            can_force=True,
            can_require=True,
        ),
        Family(
            r"amazon\.nova-(?:lite|pro|premier)",
            _can("top_k", tools=True, forced_tools=True, images=True, documents=True, video=True, reasoning=False),
            ("inferenceConfig", "topK"),
            can_force=True,
            can_require=True,
        ),
        Family(
            r"amazon\.titan-text",
            _can(tools=False, images=False, documents=True, reasoning=False, system=False),
        ),
        Family(r"meta\.llama3-(?:8b|70b)|meta\.llama2", _can(tools=False, images=False, documents=True)),
        Family(r"meta\.llama3-1", _can(tools=True, images=False, documents=True, forced_tools=False)),
        Family(r"meta\.llama3-2-(?:1b|3b)", _can(tools=False, images=False, documents=True)),
        Family(r"meta\.llama(?:3-2|4)", _can(tools=True, images=True, documents=True, forced_tools=False)),
        Family(r"meta\.llama3-3", _can(tools=True, images=False, documents=True, forced_tools=False)),
        Family(r"mistral\.pixtral", _can(tools=True, images=True, documents=True), can_require=True),
        Family(r"mistral\.mistral-large", _can(tools=True, images=False, documents=True), can_require=True),
        Family(
            r"mistral\.mi[sx]tral-(?:7b|8x7b)", _can("top_k", tools=False, images=False, documents=True), ("top_k",)
        ),
        Family(r"cohere\.command-r", _can("top_k", tools=True, images=False, documents=True), ("k",)),
        Family(r"cohere\.command", _can("top_k", tools=False, images=False, documents=True), ("k",)),
        Family(r"ai21\.jamba", _can(tools=True, images=False, documents=True, forced_tools=False)),
        Family(r"deepseek\.r1", _can(tools=False, images=False, documents=True, reasoning=True)),
        Family(r"openai\.gpt-oss", _can(tools=True, **_TEXT_ONLY, reasoning=True), effort="openai", can_require=True),
    )
)
# A model that this table does not know is asked for what the wire has; its own word on it comes back as it is.
_UNKNOWN: Final = Family("", Capabilities(), can_force=True, can_require=True)


@lru_cache(maxsize=1024)
def family_of(model: str) -> Family:
    """The rules of `model`."""
    plain = model.lower()
    return next((family for pattern, family in _FAMILIES if pattern.search(plain)), _UNKNOWN)


def is_claude(model: str) -> bool:
    """Whether `model` is Anthropic's, which takes its maker's own wire as well (InvokeModel)."""
    return family_of(model).effort == "claude"


def reasoning_format(model: str) -> str:
    """The format of the sealed state that `model` gives and takes: Claude's is the same wherever it runs."""
    return CLAUDE_FORMAT if is_claude(model) else REASONING_FORMAT


def foundation_of(model: str) -> str:
    """The model behind an inference profile's name; what counts tokens knows only that."""
    return _PROFILE.sub("", model, count=1) if _PROFILE.match(model) else model


def counts(model: str) -> bool:
    """Whether the vendor counts tokens for `model`: for Claude's alone, by a name that says which it is."""
    return is_claude(model) and not model.startswith("arn:")


def serves(model: str, kind: AskKind) -> bool:
    """Whether a model of that name does work of `kind`."""
    if kind == "embedding":
        return bool(_EMBEDS.search(model))
    if kind == "rerank":
        return bool(_RERANKS.search(model))
    is_other = _EMBEDS.search(model) or _RERANKS.search(model) or _DRAWS.search(model)
    return kind in ("chat", "token-count") and not is_other


@lru_cache(maxsize=1024)
def capabilities(model: str) -> Capabilities:
    """What `model` can do behind Converse."""
    if not serves(model, "chat"):
        return Capabilities(streaming=False)
    if is_claude(model):
        return _anthropic_models.capabilities(model)
    return family_of(model).can
