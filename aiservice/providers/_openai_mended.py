"""Answers of OpenAI's wire that are not quite OpenAI's, made so: its own libraries must be able to read them.

Seen in recorded traffic: Mistral gives content in parts (thinking among them), and tool calls without `type`, in
streams without `index`; Snowflake's finish reason is empty; arguments come as an object, as nothing, as `null`.
"""

from typing import Any

import orjson

Json = dict[str, Any]
_NO_ARGUMENTS = ("", "null", None)
_OWN_FINISH = {"eos": "stop", "model_length": "length"}  # Together's, Mistral's


def mend(choices: list[Any]) -> bool:
    """Changes the choices of a whole answer where they need it; whether anything did."""
    is_mended = False
    for choice in choices:
        message = choice.get("message") if type(choice) is dict else None
        if type(message) is not dict:
            continue
        if type(message.get("content")) is list:
            _take_thinking_out(message)
            is_mended = True
        calls = message.get("tool_calls")
        if calls and type(calls) is list:
            mended = [_mend_call(call) for call in calls]
            is_mended = is_mended or any(mended)
        reason = choice.get("finish_reason")
        if type(reason) is str and (not reason or reason in _OWN_FINISH):
            choice["finish_reason"] = _OWN_FINISH.get(reason, "tool_calls" if calls else "stop")
            is_mended = True
    return is_mended


def text_in(parts: Any) -> str:
    """The text of content that comes in parts."""
    return "".join(_texts(parts))


def thinking_in(parts: Any) -> str:
    """The thinking among them."""
    inner = (part.get("thinking") for part in parts if type(part) is dict and part.get("type") == "thinking")
    return "".join(piece if type(piece) is str else text_in(piece) for piece in inner if type(piece) in (str, list))


def mend_delta(delta: Json) -> None:
    """Changes a piece whose content comes in parts, as `mend` does."""
    _take_thinking_out(delta)


def mend_piece(call: Json, index: int, *, is_first: bool) -> bool:
    """Changes a piece of a streamed tool call into what OpenAI sends; `is_first`: of its call. Whether anything did."""
    function = call.get("function")
    if type(function) is not dict or call.get("type") == "custom":
        return False
    is_mended = False
    if call.get("index") != index:
        call["index"], is_mended = index, True
    if is_first and call.get("type") != "function":
        call["type"], is_mended = "function", True
    if type(function.get("arguments", "")) is not str:
        function["arguments"], is_mended = arguments_of(function["arguments"]), True
    if not is_first and call.get("id") in ("", "null"):  # libraries add pieces of text together
        del call["id"]
        is_mended = True
    return is_mended


def arguments_of(value: object) -> str:
    """The arguments of a call as the JSON text that they have to be."""
    if type(value) is str:
        return value
    return orjson.dumps(value).decode() if type(value) in (dict, list) else ""


def _texts(parts: list[Any]) -> list[str]:
    texts = [part.get("text") for part in parts if type(part) is dict and part.get("type", "text") != "thinking"]
    return [text for text in texts if type(text) is str]


def _take_thinking_out(message: Json) -> None:
    parts = message["content"]
    thought = thinking_in(parts)
    message["content"] = text_in(parts)
    if thought:
        message.setdefault("reasoning_content", thought)


def _mend_call(call: Any) -> bool:
    function = call.get("function") if type(call) is dict else None
    if type(function) is not dict or call.get("type") == "custom":
        return False
    is_mended = False
    if call.get("type") != "function":
        call["type"], is_mended = "function", True
    arguments = function.get("arguments")
    if type(arguments) is not str or arguments in _NO_ARGUMENTS:
        function["arguments"] = "{}" if arguments in _NO_ARGUMENTS else arguments_of(arguments)
        is_mended = True
    return is_mended
