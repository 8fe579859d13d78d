"""What Gemini's model families can do, as data (ai.google.dev: models, thinking, signatures, file input methods)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from aiservice.providers._base import AttemptFailed
from aiservice.providers._capabilities import LIMITS, LOG_PROBABILITIES, PENALTIES, SAMPLING, Capabilities
from aiservice.wire import MEDIA_KINDS, AskKind, AttemptFailure, Blame, Json

_NAME = re.compile(r"(?:(?P<folder>models|tunedModels)/)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,198})")
_EMBEDDING = re.compile(r"embedding", re.IGNORECASE)
# Models of the same address that neither chat nor embed.
_OTHER_WORK = re.compile(r"imagen|veo-|lyria|aqa|-tts|-live|native-audio|computer-use|robotics", re.IGNORECASE)
_DRAWS = re.compile(r"(?:models/)?(?:gemini-.*-image\b|(?:gemini-)?nano-banana)")


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between families.

    `efforts` gives the `thinkingConfig` for each `reasoning_effort` (an absent one cannot be asked for, an empty one
    needs no word); `is_thinking` says whether it thinks at all; `is_signed`: a turn's first function call must come
    back with its thought signature; `has_json_tools`: structured output works beside function declarations;
    `fetches_urls`: files may be given by their public https address; `has_media_results`: function results may hold
    images and documents.
    """

    pattern: re.Pattern[str]
    efforts: Mapping[str, Json] = field(default_factory=dict)
    is_thinking: bool = True
    is_signed: bool = True
    has_json_tools: bool = True
    fetches_urls: bool = True
    has_media_results: bool = True


def _budgets(*, off: int | None, high: int) -> dict[str, Json]:
    """Google's own budgets for OpenAI's words (ai.google.dev/gemini-api/docs/openai, "Thinking")."""
    tokens = {"none": off, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": high, "max": high}
    return {effort: {"thinkingBudget": budget} for effort, budget in tokens.items() if budget is not None}


def _levels(**levels: str) -> dict[str, Json]:
    return {effort: {"thinkingLevel": level} for effort, level in levels.items()}


_UP = {"medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_LOW_TO_HIGH = _levels(minimal="low", low="low", **_UP)

# The first that matches; the last stands for what is newer than this table.
_FAMILIES = (
    Family(
        re.compile(r"gemini-(1|2\.0)|gemini-exp|gemma|learnlm"),
        {"none": {}},
        is_thinking=False,
        is_signed=False,
        has_json_tools=False,
        fetches_urls=False,
        has_media_results=False,
    ),
    Family(
        re.compile(r"gemini-2\.5-pro"),
        _budgets(off=None, high=32768),
        is_signed=False,
        has_json_tools=False,
        has_media_results=False,
    ),
    Family(
        re.compile(r"gemini-2\.5"),
        _budgets(off=0, high=24576),
        is_signed=False,
        has_json_tools=False,
        has_media_results=False,
    ),
    Family(re.compile(r"gemini-3-pro"), _levels(minimal="low", low="low", **{**_UP, "medium": "high"})),
    # Their lowest level is documented as no thinking for most prompts.
    Family(
        re.compile(r"gemini-3(\.[0-6])?-flash"),
        _levels(none="minimal", minimal="minimal", low="low", **_UP),
    ),
    Family(re.compile(r""), _LOW_TO_HIGH),
)


@lru_cache(maxsize=1024)
def family_of(model: str) -> Family:
    """The family that `model` belongs to by its name."""
    name = model.rpartition("/")[2]
    return next(family for family in _FAMILIES if family.pattern.match(name))


def draws(model: str) -> bool:
    """Whether a model is one for images; it chats, too."""
    return _DRAWS.match(model) is not None


def serves(model: str, kind: AskKind) -> bool:
    """Whether `model` chats or embeds, judged by its name."""
    is_embedding = bool(_EMBEDDING.search(model))
    if kind == "rerank" or kind in MEDIA_KINDS:
        return False
    return is_embedding if kind == "embedding" else not is_embedding and not _OTHER_WORK.search(model)


@lru_cache(maxsize=1024)
def model_path(model: str) -> str:
    """`model` as it stands in a path: `models/<name>`.

    Raises:
        AttemptFailed: a name that no model of Google's can have, which must not become part of a path.
    """
    found = _NAME.fullmatch(model)
    if found is None or ".." in model:
        message = "Gemini has no model of that name: names are letters, digits, dots and hyphens."
        raise AttemptFailed(AttemptFailure(404, "model_not_found", message, Blame.FAILOVER, param="model"))
    return f"{found['folder'] or 'models'}/{found['name']}"


# The longest prompt and answer (ai.google.dev/gemini-api/docs/models), and whether a schema is taken as JSON Schema.
_LIMITS = (
    (re.compile(r"gemini-1\.5-pro|gemini-pro-1\.5"), 2_097_152, 8_192, None),
    (re.compile(r"gemini-(1\.5|2\.0)-flash|gemini-flash-1\.5"), 1_048_576, 8_192, None),
    (re.compile(r"gemini-(2\.5|3(\.\d)?)-(pro|flash)"), 1_048_576, 65_536, True),
)
_PARAMETERS = LIMITS | SAMPLING | PENALTIES | LOG_PROBABILITIES | {"n", "parallel_tool_calls", "seed", "stop", "top_k"}
_WITHOUT_MEDIA = re.compile(r"gemini-1\.0|gemini-pro$")


def capabilities(model: str) -> Capabilities:
    """What the Gemini called `model` can do; other models of that address (Gemma, Imagen) are not known."""
    name = model.rpartition("/")[2]
    if not name.startswith("gemini-") or not serves(name, "chat") or draws(name):
        return Capabilities()
    family = family_of(name)
    limits = next((known for known in _LIMITS if known[0].match(name)), None)
    has_media, has_schema = not _WITHOUT_MEDIA.match(name), limits[3] if limits else None
    return Capabilities(
        context_tokens=limits[1] if limits else None,
        output_tokens=limits[2] if limits else None,
        tools=True,
        parallel_tools=True,
        forced_tools=True,
        images=has_media,
        documents=has_media,
        audio=has_media,
        video=has_media,
        audio_output=False,
        json_schema=has_schema,
        json_object=True,
        json_schema_with_tools=has_schema if family.has_json_tools else False,
        json_object_with_tools=family.has_json_tools,
        reasoning=family.is_thinking,
        streaming=True,
        system=True,
        parameters=_PARAMETERS,
    )
