"""Where LiteLLM and we differ over a recorded answer: who is right, and why.

`OURS` is said only where the recording itself says so. `OPEN` is where the vendor's words allow both, or allow
neither to be called wrong. A difference that no line knows fails the check until somebody has judged it.
"""

import re
from dataclasses import dataclass

OURS, THEIRS, OPEN = "ours", "LiteLLM's", "open"


@dataclass(slots=True, frozen=True)
class Verdict:
    """`about` is searched in "wire recording field LiteLLM's-value"."""

    right: str
    about: str
    cause: str


VERDICTS = (
    Verdict(
        OURS,
        r"^cohere-chat .* error .*Error parsing chunk",
        "Cohere's streams name their events (`event:` lines); "
        "LiteLLM parses that line as JSON and ends the stream with an error",
    ),
    Verdict(OURS, r"^cohere-chat .* cached_input_tokens", "Cohere says `usage.cached_tokens`; LiteLLM tells 0"),
    Verdict(
        OURS,
        r"^gemini-generate .* error .*'args'",
        "a streamed `functionCall` comes without `args`, its arguments in `partialArgs`; LiteLLM raises KeyError",
    ),
    Verdict(
        OURS,
        r"^gemini-generate .*web_search_tool_stream.* input_tokens",
        "`toolUsePromptTokenCount` is a part of the recorded total; LiteLLM leaves it out",
    ),
    Verdict(
        OURS,
        r"^openai-chat groq/(openinference|openllmetry|pydantic-ai).* (input|output)_tokens ",
        "Groq's older streams have their usage in `x_groq` alone; LiteLLM tells an estimate of its own",
    ),
    Verdict(
        OURS,
        r"^openai-chat groq/.* error .*service_tier",
        "Groq's answer has no `service_tier`; LiteLLM raises AttributeError",
    ),
    Verdict(
        OURS,
        r"^openai-chat openai/ddtrace--chat_completion_image_input.* error",
        "`finish_details` in place of `finish_reason` (the first vision models); LiteLLM raises",
    ),
    Verdict(OURS, r"^openai-responses lmstudio/.* tool_calls", "the arguments of a streamed call; LiteLLM loses them"),
    Verdict(
        OURS, r"^openai-responses openai/.* error .*annotations", "annotations of a file or a container; LiteLLM raises"
    ),
    Verdict(
        OPEN,
        r"^openai-responses openai/.* error .*Unknown items",
        "an answer that holds only items for which chat has "
        "no word (a local shell's call, an approval of MCP); LiteLLM raises, we give an empty answer with its usage",
    ),
    Verdict(
        OPEN,
        r"^openai-responses openai/vercel--openai-apply-patch.* (tool_calls|finish_reason)",
        "a call of the "
        "vendor's own `apply_patch` tool, which chat cannot ask for; LiteLLM makes a function's call of it, we "
        "leave it out",
    ),
    Verdict(
        OPEN,
        r" text ",
        "`<thinking>` or `<think>` inside the text: LiteLLM moves it to `reasoning_content`, we give "
        "the text as it came",
    ),
    Verdict(OPEN, r" reasoning_tokens ", "the vendor tells no thought tokens; LiteLLM estimates them, we tell none"),
    Verdict(OPEN, r" (input|output|cached_input)_tokens ", "the recording has no usage; both tell an estimate"),
)


def verdict_of(wire: str, recording: str, name: str, theirs: object) -> Verdict | None:
    """The first line that knows a difference; None where nobody has judged it."""
    said = f"{wire} {recording} {name} {theirs}"
    return next((each for each in VERDICTS if re.search(each.about, said, re.DOTALL)), None)
