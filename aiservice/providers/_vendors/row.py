"""One vendor as a row of data. The files in `rows/` and what an admin adds are read by the same function.

A row holds only what differs from OpenAI's own wire; `tests/providers/test_vendor_rows.py` reads every one.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from aiservice.providers._capabilities import UNKNOWN, Capabilities
from aiservice.providers._limit_headers import Row as LimitRow
from aiservice.providers._openai_media import MEDIA_PATHS

Json = dict[str, Any]

PATHS: Final = ("chat", "embeddings", "completions", "rerank", "models", "responses", *MEDIA_PATHS)
THINKING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details")
THINKING_KEPT: Final = ("never", "with_tool_calls", "always")
TOOL_CHOICES: Final = ("auto", "none", "required", "named")
MEANINGS: Final = ("credential", "credit", "rate_limit", "model", "context", "overloaded", "content_filter")
LABELS: Final = frozenset(
    {"metadata", "prediction", "prompt_cache_key", "safety_identifier", "service_tier", "store", "user"}
)
"""Fields that no answer depends on, but in its pace: they may be left out where they are refused."""


class RowError(ValueError):
    """A row is not valid; `name` says which field, the message what to write instead."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"'{name}' {message}")
        self.name = name


@dataclass(slots=True, frozen=True)
class ErrorRule:
    """What an error of this vendor means, where its status alone says something else."""

    means: str
    status: int | None
    words: re.Pattern[str] | None


@dataclass(slots=True, frozen=True)
class ModelRule:
    """What holds for models whose name begins as `pattern` says; of several that fit, the first.

    `is_completion`: it goes on with a prompt. Where any rule says so of its models, all others do not.
    """

    pattern: re.Pattern[str]
    refused: frozenset[str] = frozenset()
    thinking_kept: str | None = None
    response_formats: tuple[str, ...] | None = None
    efforts: tuple[str, ...] | None = None
    is_embedding: bool = False
    is_completion: bool | None = None
    can: Capabilities = UNKNOWN


@dataclass(slots=True, frozen=True)
class VendorRow:
    """A vendor. Empty, None and the defaults mean: as OpenAI's own wire has it."""

    kind: str
    title: str
    base_url: str = ""
    base_url_example: str = ""
    key_env: str = ""
    needs_key: bool = True
    source: str = ""
    paths: tuple[tuple[str, str], ...] = ()
    refused: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    renamed: tuple[tuple[str, str], ...] = ()
    has_developer_role: bool = True
    has_stream_options: bool = True
    has_strict_tools: bool = True
    tool_choices: tuple[str, ...] | None = None
    has_cache_control: bool = False
    alternates: bool = False
    response_formats: tuple[str, ...] | None = None
    thinking_field: str | None = None
    thinking_kept: str | None = None
    efforts: tuple[str, ...] | None = None
    effort_switch: str | None = None
    embedding_encoding: str = ""
    limits: tuple[LimitRow, ...] = ()
    errors: tuple[ErrorRule, ...] = ()
    models: tuple[ModelRule, ...] = ()

    def path(self, name: str) -> str:
        """The path of one kind of work; empty where the vendor has none."""
        return dict(self.paths).get(name, _PATHS[name])


_PATHS: Final = {
    "chat": "/chat/completions",
    "embeddings": "/embeddings",
    "completions": "",
    "rerank": "",
    "models": "/models",
    "responses": "",
    **dict.fromkeys(MEDIA_PATHS, ""),
}
