"""Whole answers of Converse in our form, with the words for usage and endings that its streams share."""

import base64
import time
from typing import Any, Final, NamedTuple

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.ids import new_id
from aiservice.providers._anthropic_tools import JSON_TOOL
from aiservice.providers._base import AttemptFailed, token_count
from aiservice.providers._bedrock.models import CLAUDE_FORMAT
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._own_calls import OwnCalls
from aiservice.wire import Answer, AttemptFailure, FinishReason, Json, Usage

VENDOR: Final = "bedrock"  # whose name stands over its own calls in `extra_content`
_FINISH: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_MALFORMED: Final = frozenset({"malformed_model_output", "malformed_tool_use"})


class Wish(NamedTuple):
    """What was asked for that an answer is read by: the tool which stands for JSON mode, one call at most, none."""

    is_json_tool: bool = False
    is_one_call: bool = False
    may_call: bool = True


def called_unasked() -> AttemptFailure:
    """A call where none was to be made, which this wire cannot be told."""
    return invalid_answer("its model called a tool where none was to be called")


def finish_reason_of(said: object) -> FinishReason | AttemptFailure:
    """Our word for a stop reason; the failure, where it says that the answer is none. One that is not known is no clean
    end."""
    if not isinstance(said, str):
        return cut_short()
    if said in _MALFORMED:
        return invalid_answer("its model made a call or an answer that is none")
    return _FINISH.get(said) or cut_short()


def read_usage(said: object) -> tuple[Usage | None, bool]:
    """The usage of a `usage` object, and whether what was there was valid.

    `inputTokens` is only what no cache had a part in. The counts ending in `TokenCount` repeat others, and what is said
    by time to live (`cacheDetails`) is part of the writes: neither is added.
    """
    if not isinstance(said, dict):
        return None, said is None
    fresh, output = token_count(said.get("inputTokens")), token_count(said.get("outputTokens"))
    read, written = _count(said.get("cacheReadInputTokens")), _count(said.get("cacheWriteInputTokens"))
    if fresh is None or output is None or read is None or written is None:
        return None, False
    return Usage(fresh + read + written, output, read, written), True


def _count(said: object) -> int | None:
    """A count that may be left out."""
    return 0 if said is None else token_count(said)


def converse_answer(raw: bytes, model: str, thought_format: str, wish: Wish) -> Answer:
    """A whole answer.

    Raises:
        AttemptFailed: no message (an error after 200, garbage).
    """
    body = parsed(raw)
    output = body.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        raise AttemptFailed(invalid_answer("its answer had no content"))
    reason = finish_reason_of(body.get("stopReason"))
    if isinstance(reason, AttemptFailure):
        raise AttemptFailed(reason)
    said = _message(content, thought_format, wish)
    if wish.is_json_tool and reason == "tool_calls" and "tool_calls" not in said:
        reason = "stop"
    usage, is_valid = read_usage(body.get("usage"))
    choice: Json = {
        "index": 0,
        "message": said,
        "finish_reason": reason,
        "native_finish_reason": body.get("stopReason"),
    }
    made: Json = {
        "id": "chatcmpl-" + new_id("")[1:],
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
    }
    if usage is not None:
        made["usage"] = usage_json(usage)
    return Answer(made, model, reason, usage, is_usage_valid=is_valid)


def parsed(raw: bytes) -> Json:
    """The object that a reply is.

    Raises:
        AttemptFailed: it is none.
    """
    try:
        body = loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if not isinstance(body, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    return body


def _message(content: list[Any], thought_format: str, wish: Wish) -> Json:
    texts: list[str] = []
    thoughts: list[str] = []
    details: list[Json] = []
    calls: list[Json] = []
    own = OwnCalls(VENDOR)
    offset = 0
    for block in content:
        if not isinstance(block, dict):
            raise AttemptFailed(invalid_answer("its answer had no content"))
        if "text" in block:
            texts.append(_text(block["text"]))
            offset += len(texts[-1])
        elif isinstance(cited := block.get("citationsContent"), dict):
            put_citations(own, cited.get("citations"), offset)
            texts.append(cited_text(cited))
            offset += len(texts[-1])
        elif isinstance(thought := block.get("reasoningContent"), dict):
            detail = _thought(thought, len(details), offset, thought_format, thoughts)
            details += [detail] if detail else []
        elif not isinstance(use := block.get("toolUse"), dict) or use.get("type") == "server_tool_use":
            own.add("content", block, text_length=offset, thoughts=len(details))
        else:
            arguments = orjson.dumps(use.get("input") or {}).decode()
            if not wish.may_call:
                raise AttemptFailed(called_unasked())
            if wish.is_json_tool and use.get("name") == JSON_TOOL:
                texts.append(arguments)
                offset += len(arguments)
            elif not (calls and wish.is_one_call):
                function = {"name": _text(use.get("name")), "arguments": arguments}
                calls.append({"id": _text(use.get("toolUseId")), "type": "function", "function": function})
    message: Json = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
    if calls:
        message["tool_calls"] = calls
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if details:
        message["reasoning_details"] = details
    if (extra := own.extra_content()) is not None:
        message["extra_content"] = extra
    return message


def put_citations(own: OwnCalls, given: object, text_length: int) -> None:
    """The sources of a text that begins behind `text_length` characters."""
    for citation in given if isinstance(given, list) else ():
        if isinstance(citation, dict):
            own.add("citations", citation, text_length=text_length)


def _thought(thought: Json, index: int, offset: int, form: str, thoughts: list[str]) -> Json | None:
    said = thought.get("reasoningText")
    if isinstance(said, dict):
        text = _text(said.get("text"))
        thoughts.append(text)
        return signed(text, said.get("signature"), index, offset, form)
    blob = thought.get("redactedContent")
    return sealed_item(data_of(blob_bytes(blob), form), index, offset, form) if blob else None


def signed(text: str, signature: object, index: int, offset: int, form: str) -> Json:
    """An item of `reasoning_details` for a thought; `offset` is how many characters of text came before it."""
    item: Json = {"type": "reasoning.text", "text": text, "format": form, "index": index}
    if isinstance(signature, str) and signature:
        item["signature"] = signature
    return {**item, "content_offset": offset} if offset else item


def sealed_item(data: str, index: int, offset: int, form: str) -> Json:
    """The same for one that the vendor encrypted."""
    item: Json = {"type": "reasoning.encrypted", "data": data, "format": form, "index": index}
    return {**item, "content_offset": offset} if offset else item


def blob_bytes(blob: object) -> bytes:
    """What is in a blob.

    Raises:
        AttemptFailed: it is no base64.
    """
    try:
        return base64.b64decode(blob if isinstance(blob, str) else "?", validate=True)
    except ValueError:
        raise _not_sealed() from None


def data_of(sealed: bytes, form: str) -> str:
    """Sealed bytes as they stand in `reasoning_details`: Claude's are text, and the same wherever it runs.

    Raises:
        AttemptFailed: Claude's that are none.
    """
    if form != CLAUDE_FORMAT:
        return base64.b64encode(sealed).decode()
    try:
        return sealed.decode()
    except UnicodeDecodeError:
        raise _not_sealed() from None


def _not_sealed() -> AttemptFailed:
    return AttemptFailed(invalid_answer("a sealed thought in its answer was none"))


def cited_text(cited: Json) -> str:
    """The text that citations stand in."""
    pieces = cited.get("content")
    texts = [piece.get("text") for piece in pieces if isinstance(piece, dict)] if isinstance(pieces, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def usage_json(usage: Usage) -> Json:
    """A usage as it stands in a chat completion."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
    }


def read_count(raw: bytes) -> Answer:
    """The answer to CountTokens.

    Raises:
        AttemptFailed: it holds no count.
    """
    count = token_count(parsed(raw).get("inputTokens"))
    if count is None:
        raise AttemptFailed(invalid_answer("its answer had no count"))
    return Answer({"input_tokens": count}, "", usage=Usage())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
