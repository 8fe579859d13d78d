"""The same sessions in Python: `openai_session` and `anthropic_session` give what the Node ones print."""

import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_ASKED = 'weather? (tool weather {"city": "Bern"})'
Json = dict[str, Any]


def _user(content: Any) -> list[Any]:
    return [{"role": "user", "content": content}]


def _refused(call: Callable[[], object]) -> Json:
    try:
        call()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        wait = error.response.headers.get("retry-after")
        return {"status": error.status_code, "kind": type(error).__name__, "retry_after": wait}
    return {"status": 200}


def openai_session(base_url: str, key: str, model: str) -> Json:
    """One session of openai-python."""
    client: Any = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    create = client.chat.completions.create
    function = {"name": "weather", "description": "The weather of a city", "parameters": _CITY}
    tools = [{"type": "function", "function": function}]

    def facts(answer: Any) -> Json:
        choice, usage = answer.choices[0], answer.usage
        return {
            "text": choice.message.content,
            "finish": choice.finish_reason,
            "input": usage.prompt_tokens,
            "output": usage.completion_tokens,
        }

    def streamed(**fields: Any) -> Any:
        with client.chat.completions.stream(model=model, stream_options={"include_usage": True}, **fields) as stream:
            return stream.get_final_completion()

    def tool(answer: Any) -> Json:
        function = answer.choices[0].message.tool_calls[0].function
        arguments = json.loads(function.arguments)
        return {"name": function.name, "arguments": arguments, "finish": answer.choices[0].finish_reason}

    first = create(model=model, messages=_user(_ASKED), tools=tools)
    result = {"role": "tool", "tool_call_id": first.choices[0].message.tool_calls[0].id, "content": "snow"}
    turns = [*_user(_ASKED), first.choices[0].message, result]
    schema = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": _PLACE}}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}
    seen = _user([{"type": "text", "text": "what is this (words-2)"}, picture])
    stranger: Any = openai.OpenAI(base_url=base_url, api_key=key[:-1], max_retries=0)
    return {
        "chat": facts(create(model=model, messages=_user("say (words-5) please"))),
        "stream": facts(streamed(messages=_user("say (words-5) please"))),
        "tool": tool(first),
        "tool_stream": tool(streamed(messages=_user(_ASKED), tools=tools)),
        "after_tool": create(model=model, messages=turns, tools=tools).choices[0].message.content,
        "json": json.loads(
            create(model=model, messages=_user("where? (json)"), response_format=schema).choices[0].message.content
        ),
        "image": create(model=model, messages=seen).choices[0].message.content,
        "bad": _refused(lambda: create(model=model, messages=_user("(status-400)"))),
        "down": _refused(lambda: create(model=model, messages=_user("(status-500)"))),
        "limit": _refused(lambda: create(model=model, messages=_user("(retry-after-2)"))),
        "stranger": _refused(lambda: stranger.chat.completions.create(model=model, messages=_user("hi"))),
        "broken": _is_broken(lambda: list(create(model=model, messages=_user("(error-event)"), stream=True))),
    }


def anthropic_session(base_url: str, key: str, model: str) -> Json:
    """One session of anthropic-python."""
    client: Any = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0)
    stranger: Any = anthropic.Anthropic(base_url=base_url, api_key=key[:-1], max_retries=0)
    tools = [{"name": "weather", "description": "The weather of a city", "input_schema": _CITY}]

    def create(who: Any = client, **fields: Any) -> Any:
        return who.messages.create(model=model, max_tokens=64, **fields)

    def streamed(**fields: Any) -> Any:
        with client.messages.stream(model=model, max_tokens=64, **fields) as stream:
            return stream.get_final_message()

    def text(message: Any) -> str:
        return "".join(block.text for block in message.content if block.type == "text")

    def facts(message: Any) -> Json:
        usage = message.usage
        told = {"input": usage.input_tokens, "output": usage.output_tokens}
        return {"text": text(message), "finish": message.stop_reason, **told}

    def tool(message: Any) -> Json:
        block = _tool_use(message)
        return {"name": block.name, "arguments": block.input, "finish": message.stop_reason}

    first = create(messages=_user(_ASKED), tools=tools)
    result = _user([{"type": "tool_result", "tool_use_id": _tool_use(first).id, "content": "snow"}])
    turns = [*_user(_ASKED), {"role": "assistant", "content": first.content}, *result]
    output = {"format": {"type": "json_schema", "schema": _PLACE}}
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PIXEL}}
    seen = _user([{"type": "text", "text": "what is this (words-2)"}, picture])
    return {
        "chat": facts(create(messages=_user("say (words-5) please"))),
        "stream": facts(streamed(messages=_user("say (words-5) please"))),
        "tool": tool(first),
        "tool_stream": tool(streamed(messages=_user(_ASKED), tools=tools)),
        "after_tool": text(create(messages=turns, tools=tools)),
        "json": json.loads(text(create(messages=_user("where? (json)"), output_config=output))),
        "image": text(create(messages=seen)),
        "bad": _refused(lambda: create(messages=_user("(status-400)"))),
        "down": _refused(lambda: create(messages=_user("(status-500)"))),
        "limit": _refused(lambda: create(messages=_user("(retry-after-2)"))),
        "stranger": _refused(lambda: create(stranger, messages=_user("hi"))),
        "broken": _is_broken(lambda: streamed(messages=_user("(error-event)"))),
    }


def _tool_use(message: Any) -> Any:
    """The call; another vendor's thinking state may come before it, in a block of its own."""
    return next(block for block in message.content if block.type == "tool_use")


def _is_broken(call: Callable[[], object]) -> bool:
    try:
        call()
    except (openai.APIError, anthropic.APIError):
        return True
    return False
