"""What each of OpenAI's models takes and can do, as data.

Sources: platform.openai.com/docs/models (a page for each model: endpoints, modalities, features, limits) and
/docs/guides/reasoning, /function-calling, /structured-outputs, /pdf-files, /latest-model; recorded refusals.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from aiservice.providers._capabilities import PARAMETERS, PENALTIES, Capabilities

_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias")


@dataclass(slots=True, frozen=True)
class ModelRules:
    """What models of one generation take. `refused` are fields of chat that they answer with a 400."""

    is_reasoning: bool = False
    has_chat: bool = True
    has_chat_tools: bool = True
    refused: tuple[str, ...] = ()


# By the beginning of the name (a vendor's prefix and a fine-tune's aside), first match first.
# Sources: platform.openai.com/docs/models (endpoints of each model) and /docs/guides/reasoning, /latest-model.
_RULES: tuple[tuple[re.Pattern[str], ModelRules], ...] = tuple(
    (re.compile(pattern), rules)
    for pattern, rules in (
        (r"o1-pro|o3-pro|.*-deep-research|computer-use", ModelRules(True, has_chat=False, refused=_SAMPLING)),
        (r"gpt-5(\.\d+)?-pro|gpt-5(\.\d+)?-codex|codex-", ModelRules(True, has_chat=False)),
        (r"o3|o4-mini", ModelRules(True, refused=(*_SAMPLING, "stop"))),
        (r"o1", ModelRules(True, refused=_SAMPLING)),
        (r"gpt-5(\.\d+)?-(chat|search)", ModelRules()),
        (r"gpt-5\.[6-9]|gpt-[6-9]", ModelRules(True, has_chat_tools=False)),
        (r"gpt-5", ModelRules(True)),  # some of these take a temperature, some with effort `none`: theirs to refuse
    )
)
_OTHERS = ModelRules()


@lru_cache(maxsize=1024)
def rules_for(model: str) -> ModelRules:
    """The rules of a model, by its name."""
    name = model.removeprefix("openai/").removeprefix("ft:")
    return next((rules for pattern, rules in _RULES if pattern.match(name)), _OTHERS)


_TEXT: Final = Capabilities(
    tools=True,
    parallel_tools=True,
    forced_tools=True,
    images=False,
    documents=False,
    audio=False,
    video=False,
    audio_output=False,
    json_schema=False,
    json_object=True,
    json_schema_with_tools=False,
    json_object_with_tools=True,
    reasoning=False,
    streaming=True,
    system=True,
)
_WITHOUT_JSON: Final = replace(_TEXT, json_object=False, json_object_with_tools=False)
_SEEING: Final = replace(_TEXT, images=True, documents=True, json_schema=True, json_schema_with_tools=True)
_THINKING: Final = replace(_SEEING, reasoning=True, output_tokens=128_000)
# The first generation that reasons: `parallel_tool_calls` is refused.
_O_SERIES: Final = replace(_THINKING, parallel_tools=False, output_tokens=100_000)
_TALKING: Final = replace(_TEXT, audio=True, audio_output=True, output_tokens=16_384)
_PREVIEW_O1: Final = replace(_WITHOUT_JSON, tools=False, parallel_tools=False, forced_tools=False, system=False)
_EMBEDDING: Final = Capabilities(streaming=False)

# By the beginning of the name, first match first. A model that none of these names is not known.
_ABILITIES: Final = tuple(
    (re.compile(pattern), abilities)
    for pattern, abilities in (
        (r"text-embedding-", replace(_EMBEDDING, parameters=frozenset({"dimensions", "encoding_format"}))),
        (r"gpt-3\.5-turbo-instruct|.*-(?:realtime|transcribe|tts|image)", Capabilities()),
        (r"gpt-3\.5", replace(_TEXT, output_tokens=4_096)),
        (r"gpt-4(?:-0613|-0314|-32k)?$", replace(_WITHOUT_JSON, output_tokens=8_192)),
        (r"gpt-4-(?:1106|0125|turbo-preview)", replace(_TEXT, output_tokens=4_096)),
        (r"gpt-4-turbo", replace(_TEXT, images=True, documents=None, output_tokens=4_096)),
        (r"gpt-4o-2024-05-13", replace(_TEXT, images=True, documents=True, output_tokens=4_096)),
        (r"gpt-(?:4o-(?:mini-)?audio|audio)", _TALKING),
        (r"gpt-4o-(?:mini-)?search", replace(_SEEING, tools=None, forced_tools=None, output_tokens=16_384)),
        (r"gpt-4o|chatgpt-4o", replace(_SEEING, output_tokens=16_384)),
        (r"gpt-4\.1", replace(_SEEING, output_tokens=32_768)),
        (r"gpt-4\.5", replace(_SEEING, documents=None, output_tokens=16_384)),
        (r"o1-mini", replace(_PREVIEW_O1, reasoning=None, output_tokens=65_536)),
        (r"o1-preview", replace(_PREVIEW_O1, reasoning=None, output_tokens=32_768)),
        (r"o1", replace(_O_SERIES, parallel_tools=None)),
        (r"o3-mini", replace(_O_SERIES, images=False, documents=False)),
        (r"o3|o4-mini", _O_SERIES),
        (r"gpt-5(?:\.1)?-chat", replace(_SEEING, tools=None, forced_tools=None, output_tokens=16_384)),
        (r"gpt-5\.[2-9]-chat", replace(_SEEING, reasoning=None, output_tokens=16_384)),
        (r"gpt-5\.[45]-pro", replace(_THINKING, json_schema=None, json_schema_with_tools=None)),
        (r"gpt-5|gpt-6|codex-", _THINKING),
    )
)
# Words of the field that OpenAI has not.
_FOREIGN: Final = frozenset({"top_k", "min_p", "repetition_penalty", "dimensions", "encoding_format"})
# Chat's own words that the Responses API has no counterpart for (see `_openai_responses`).
_ONLY_IN_CHAT: Final = PENALTIES | {"logit_bias", "n", "prediction", "seed", "stop", "web_search_options"}


def capabilities(model: str) -> Capabilities:
    """What the model can do; a name that this table does not know says nothing."""
    name = model.removeprefix("openai/").removeprefix("ft:")
    known = next((abilities for pattern, abilities in _ABILITIES if pattern.match(name)), None)
    if known is None or known.streaming is not True:
        return known or Capabilities()
    rules = rules_for(model)
    parameters = PARAMETERS - _FOREIGN - frozenset(rules.refused)
    if not rules.has_chat:
        parameters -= _ONLY_IN_CHAT
    if known.parallel_tools is False:
        parameters -= {"parallel_tool_calls"}
    if not rules.is_reasoning:
        parameters -= {"verbosity"}
    return replace(known, parameters=parameters)
