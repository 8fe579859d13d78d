"""What a recording says, in our form: made by a reference extractor, and what an answer of ours is held to."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Expected:
    """An answer. None in a field means: not said there, and so not compared.

    `finish_reason` is OpenAI's word (`stop`, `length`, `tool_calls`, `content_filter`). Token counts are the whole
    prompt and everything generated; `cached_input_tokens` and `reasoning_tokens` are parts of them. `refusal` is
    text by which the model itself declined, where the wire keeps it apart. `tool_calls` are
    (name, parsed arguments) of the first choice, in order. `error` is the stable code of our error; `error_status` its
    HTTP status, None where something (thinking, too) was delivered before it. `result` is what work that is no chat
    came to: a ranking, pictures, speech as bytes, moderations, a count, the names of models.
    """

    text: str = ""
    refusal: str = ""
    tool_calls: list[tuple[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    vectors: list[Any] | None = None
    result: Any = None
    error: str | None = None
    error_status: int | None = None
