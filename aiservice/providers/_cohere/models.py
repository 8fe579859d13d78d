"""Cohere's models by name: what each does, and can be asked for (docs.cohere.com/docs/models)."""

import re

from aiservice.providers._capabilities import Capabilities
from aiservice.wire import AskKind

TITLE = "Cohere"
_RERANK = re.compile(r"rerank", re.IGNORECASE)
_EMBED = re.compile(r"embed", re.IGNORECASE)
_NO_CHAT = re.compile(r"rerank|embed|transcribe", re.IGNORECASE)
_THINKS = re.compile(r"reasoning|command-a-plus", re.IGNORECASE)
_SEES = re.compile(r"vision|command-a-plus", re.IGNORECASE)
# The first generation of embeddings that has sizes to choose from, and takes texts and images mixed.
_HAS_SIZES = re.compile(r"embed-v(?:[4-9]|\d\d)", re.IGNORECASE)
PARAMETERS = frozenset(
    {
        "frequency_penalty",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "parallel_tool_calls",
        "presence_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_p",
    }
)


def serves(model: str, kind: AskKind) -> bool:
    """Whether `model` may do work of `kind`."""
    if kind == "embedding":
        return _EMBED.search(model) is not None
    if kind == "rerank":
        return _RERANK.search(model) is not None
    if kind == "transcription":
        return "transcribe" in model.lower()
    return kind == "chat" and _NO_CHAT.search(model) is None


def thinks(model: str) -> bool:
    """Whether `model` thinks before it answers; the others refuse to be asked."""
    return _THINKS.search(model) is not None


def has_sizes(model: str) -> bool:
    """Whether a vector's size can be chosen."""
    return _HAS_SIZES.search(model) is not None


def capabilities(model: str) -> Capabilities:
    """What the wire has for every model, and what a name says of one."""
    if not serves(model, "chat"):
        has_size = serves(model, "embedding") and has_sizes(model)
        parameters = {"encoding_format", "dimensions"} if has_size else {"encoding_format"}
        return Capabilities(streaming=False, parameters=frozenset(parameters))
    return Capabilities(
        streaming=True, system=True, tools=True, forced_tools=True, audio=False, video=False, audio_output=False,
        images=True if _SEES.search(model) else None, json_object=True, json_schema=True, json_object_with_tools=False,
        json_schema_with_tools=False, reasoning=thinks(model), parameters=PARAMETERS,
    )  # fmt: skip
