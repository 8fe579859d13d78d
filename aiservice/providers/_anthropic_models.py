"""What each Claude model accepts, as data: limits, sampling, thinking, schemas.

From the vendor's own list of models (`GET /v1/models`: `max_tokens`, `capabilities`), its pages on effort, thinking and
mid-conversation system messages, vision and PDF support (platform.claude.com/docs/en/build-with-claude), and recorded
refusals.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from aiservice.providers._capabilities import LIMITS, SAMPLING, Capabilities

_LOW_TO_HIGH: Final = ("low", "medium", "high")
_ALL_EFFORTS: Final = (*_LOW_TO_HIGH, "xhigh", "max")


@dataclass(slots=True, frozen=True)
class ClaudeModel:
    """One model's rules.

    `max_tokens` is sent where the client sets no limit of its own (the wire requires one). `sampling` says whether
    temperature and top_p may be set both, one at a time, or not at all. `thinking` is how it is asked to think: with a
    budget of tokens or by effort. `without_thinking` is how it is asked not to: by saying nothing, `disabled`,
    `between_tools`, or not at all.
    """

    max_tokens: int
    sampling: Literal["both", "one", "none"]
    thinking: Literal["never", "budget", "adaptive"]
    efforts: tuple[str, ...] = ()
    without_thinking: Literal["unsaid", "disabled", "between_tools", "impossible"] = "unsaid"
    has_schemas: bool = True
    has_forced_tools: bool = True
    has_later_system: bool = False


_CLAUDE_2 = ClaudeModel(4_096, "both", "never", has_schemas=False)
_CLAUDE_3_5 = replace(_CLAUDE_2, max_tokens=8_192)
_CLAUDE_4 = ClaudeModel(8_192, "both", "budget", has_schemas=False)
_CLAUDE_4_1 = replace(_CLAUDE_4, sampling="one", has_schemas=True)
_CLAUDE_4_5 = replace(_CLAUDE_4_1, max_tokens=64_000)
_CLAUDE_4_6 = ClaudeModel(128_000, "one", "adaptive", (*_LOW_TO_HIGH, "max"))
_CLAUDE_4_7 = replace(_CLAUDE_4_6, sampling="none", efforts=_ALL_EFFORTS)
_CLAUDE_4_8 = replace(_CLAUDE_4_7, has_later_system=True)
_SONNET_5 = replace(_CLAUDE_4_7, without_thinking="disabled")
_CLAUDE_5 = replace(_SONNET_5, has_later_system=True)
_FABLE_5 = replace(_CLAUDE_5, without_thinking="impossible")
_FABLE_5_1 = replace(_FABLE_5, has_forced_tools=False)

# The first that matches, sought anywhere in the name: hosts put prefixes before it (`us.anthropic.`) and dates behind.
_MODELS: Final = tuple(
    (re.compile(rf"claude-(?:{pattern})(?![0-9])"), model)
    for pattern, model in (
        (r"instant.*|v?[12](?:[.-][0-9])?", _CLAUDE_2),
        (r"3-(?:opus|sonnet|haiku)", _CLAUDE_2),
        (r"3[.-]5-\w+", _CLAUDE_3_5),
        (r"3[.-]7-sonnet", _CLAUDE_4),
        (r"(?:opus|sonnet)-4(?:-0|-2025\d{4}|(?![.-]?\d))", _CLAUDE_4),
        (r"4-(?:opus|sonnet)", _CLAUDE_4),
        (r"opus-4[.-]1", _CLAUDE_4_1),
        (r"(?:opus|sonnet|haiku)-4[.-]5", _CLAUDE_4_5),
        (r"(?:opus|sonnet)-4[.-]6", _CLAUDE_4_6),
        (r"opus-4[.-]7", _CLAUDE_4_7),
        (r"opus-4[.-]8", _CLAUDE_4_8),
        (r"mythos-preview", replace(_CLAUDE_4_7, without_thinking="impossible")),
        (r"opus-5[.-]5", _FABLE_5_1),
        (r"sonnet-5[.-]5", replace(_CLAUDE_5, without_thinking="between_tools")),
        (r"haiku-5[.-]5", _CLAUDE_5),
        (r"(?:fable|mythos)-5[.-][1-9]", _FABLE_5_1),
        (r"(?:fable|mythos)-5", _FABLE_5),
        (r"sonnet-5", _SONNET_5),
        (r"opus-5", _CLAUDE_5),
    )
)
# A Claude that this table does not know is newer than all it knows; another vendor's model behind this wire is taken to
# bear what the wire has had for longest. Either vendor's own word on it comes back as it is.
_NEWER: Final = _CLAUDE_5
_FOREIGN: Final = ClaudeModel(8_192, "both", "budget")


@lru_cache(maxsize=1024)
def claude_model(name: str) -> ClaudeModel:
    """The rules of the model called `name`."""
    plain = name.lower()
    if "claude" not in plain:
        return _FOREIGN
    return next((model for pattern, model in _MODELS if pattern.search(plain)), _NEWER)


# The longest answer of each model (models overview): `ClaudeModel.max_tokens` is what is asked for where nobody says.
_LONGEST: Final = tuple(
    (re.compile(rf"claude-(?:{pattern})(?![0-9])"), tokens)
    for pattern, tokens in (
        (r"instant.*|v?[12](?:[.-][0-9])?|3-(?:opus|sonnet|haiku)", 4_096),
        (r"3[.-]5-\w+", 8_192),
        (r"3[.-]7-sonnet", 128_000),  # with a beta header; 64,000 without
        (r"opus-4(?:-0|[.-]1|-2025\d{4}|(?![.-]?\d))|4-opus", 32_000),
        (r"sonnet-4(?:-0|-2025\d{4}|(?![.-]?\d))|4-sonnet|(?:opus|sonnet|haiku)-4[.-]5", 64_000),
        (r"(?:opus|sonnet)-4[.-][6-8]|(?:opus|sonnet|haiku|fable|mythos)-5", 128_000),
    )
)
_OLDEST: Final = re.compile(r"claude-(?:instant|v?[12](?![0-9]))")
_ALWAYS: Final = LIMITS | {"parallel_tool_calls", "service_tier", "stop"}


def capabilities(name: str) -> Capabilities:
    """What the Claude called `name` can do; another vendor's model behind this wire says nothing."""
    plain = name.lower()
    if "claude" not in plain:
        return Capabilities()
    rules, is_old = claude_model(name), _OLDEST.search(plain) is not None
    longest = next((tokens for pattern, tokens in _LONGEST if pattern.search(plain)), None)
    has_json = not is_old and rules.has_forced_tools
    return Capabilities(
        output_tokens=longest,
        tools=not is_old,
        parallel_tools=not is_old,
        forced_tools=not is_old and rules.has_forced_tools,
        images=not is_old,
        documents=_documents(plain, is_old=is_old),
        audio=False,
        video=False,
        audio_output=False,
        json_schema=rules.has_schemas,
        json_object=has_json,
        json_schema_with_tools=rules.has_schemas,
        json_object_with_tools=False,
        reasoning=rules.thinking != "never",
        streaming=True,
        system=True,
        parameters=_ALWAYS if rules.sampling == "none" else _ALWAYS | SAMPLING | {"top_k"},
    )


def _documents(plain: str, *, is_old: bool) -> bool | None:
    """PDFs came with Claude 3.5; nobody says it of Claude 3."""
    if is_old:
        return False
    return None if re.search(r"claude-3-(?:opus|sonnet|haiku)", plain) else True
