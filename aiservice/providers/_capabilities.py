"""What a model can do, as data: one form for all vendors, each of which fills it in from its own tables."""

from dataclasses import dataclass
from typing import Any

SAMPLING = frozenset({"temperature", "top_p"})
LIMITS = frozenset({"max_completion_tokens", "max_tokens"})
PENALTIES = frozenset({"frequency_penalty", "presence_penalty"})
LOG_PROBABILITIES = frozenset({"logprobs", "top_logprobs"})
# Fields of a request that say how it is to be answered. What is given to the model (tools, media, a schema) is a
# feature, and labels (`user`, `metadata`) ask nothing of it.
PARAMETERS = (
    SAMPLING
    | LIMITS
    | PENALTIES
    | LOG_PROBABILITIES
    | {
        "dimensions",
        "encoding_format",
        "logit_bias",
        "min_p",
        "n",
        "parallel_tool_calls",
        "prediction",
        "repetition_penalty",
        "seed",
        "service_tier",
        "stop",
        "top_k",
        "verbosity",
        "web_search_options",
    }
)


NEUTRAL: dict[str, Any] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "n": 1,
    "presence_penalty": 0,
    "service_tier": "auto",
    "stop": [],
    "temperature": 1,
    "top_logprobs": 0,
    "top_p": 1,
    "verbosity": "medium",
}
"""What a field says that asks for what happens anyway."""


@dataclass(slots=True, frozen=True)
class Capabilities:
    """What one model can do. None is what nobody here knows: it is never guessed.

    `context_tokens` is what prompt and answer may be together (with some vendors the prompt alone), `output_tokens`
    what an answer may be. `images`, `documents`, `audio` and `video` are what it may be given; `audio_output` is what
    it may answer with. `forced_tools`: it can be made to call a tool. `json_schema` and `json_object` are answers by a
    schema and as any JSON object, `..._with_tools` the same beside tools. `system`: it takes instructions apart from
    the conversation. `parameters` are those of `PARAMETERS` that it honours; all others it refuses or ignores.
    """

    context_tokens: int | None = None
    output_tokens: int | None = None
    tools: bool | None = None
    parallel_tools: bool | None = None
    forced_tools: bool | None = None
    images: bool | None = None
    documents: bool | None = None
    audio: bool | None = None
    video: bool | None = None
    audio_output: bool | None = None
    json_schema: bool | None = None
    json_object: bool | None = None
    json_schema_with_tools: bool | None = None
    json_object_with_tools: bool | None = None
    reasoning: bool | None = None
    streaming: bool | None = None
    system: bool | None = None
    parameters: frozenset[str] | None = None


UNKNOWN = Capabilities()
