"""LangChain, both packages: argv is wire, base URL, key, model, a model of embeddings. Prints one JSON object."""

import json
import sys
from collections.abc import Callable
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_ASKED = 'weather? (tool weather {"city": "Bern"})'
_PLACE = {
    "title": "place",
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"snow in {city}"


def _chat(wire: str, base_url: str, key: str, model: str) -> Any:
    if wire == "anthropic":
        return ChatAnthropic(base_url=base_url, api_key=key, model=model, max_tokens=64, max_retries=0)
    return ChatOpenAI(base_url=base_url, api_key=key, model=model, max_retries=0, stream_usage=True)


def _told(message: Any) -> dict[str, Any]:
    about, usage = message.response_metadata, message.usage_metadata
    finish = about.get("finish_reason") or about.get("stop_reason")
    return {"text": message.text, "finish": finish, "input": usage["input_tokens"], "output": usage["output_tokens"]}


def _called(message: Any) -> dict[str, Any]:
    call = message.tool_calls[0]
    return {"name": call["name"], "arguments": call["args"]}


def _streamed(chat: Any, asked: str) -> Any:
    whole = None
    for chunk in chat.stream(asked):
        whole = chunk if whole is None else whole + chunk
    return whole


def _refused(call: Callable[[], object]) -> dict[str, Any]:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - of either vendor's library
        wait = error.response.headers.get("retry-after")  # type: ignore[attr-defined]
        return {"status": error.status_code, "retry_after": wait}  # type: ignore[attr-defined]
    return {"status": 200}


def session(wire: str, base_url: str, key: str, model: str, embedder: str) -> dict[str, Any]:
    chat = _chat(wire, base_url, key, model)
    tooled = chat.bind_tools([weather])
    first = tooled.invoke(_ASKED)
    result = ToolMessage("snow", tool_call_id=first.tool_calls[0]["id"])
    content = [
        {"type": "text", "text": "what is this (words-2)"},
        {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": _PIXEL},
    ]
    said = {
        "chat": _told(chat.invoke("say (words-5) please")),
        "stream": _told(_streamed(chat, "say (words-5) please")),
        "tool": _called(first),
        "tool_stream": _called(_streamed(tooled, _ASKED)),
        "after_tool": tooled.invoke([HumanMessage(_ASKED), first, result]).text,
        "json": chat.with_structured_output(_PLACE, method="json_schema").invoke("where? (json)"),
        "image": chat.invoke([HumanMessage(content)]).text,
        "bad": _refused(lambda: chat.invoke("(status-400)")),
        "down": _refused(lambda: chat.invoke("(status-500)")),
        "limit": _refused(lambda: chat.invoke("(retry-after-2)")),
        "stranger": _refused(lambda: _chat(wire, base_url, key[:-1], model).invoke("hi")),
        "broken": _is_broken(lambda: _streamed(chat, "(error-event)")),
    }
    if wire == "openai":
        # Else it sends tokens, counted by a file that it fetches from the network.
        vectors = OpenAIEmbeddings(
            base_url=base_url, api_key=key, model=embedder, max_retries=0, check_embedding_ctx_length=False
        )
        said["vectors"] = [len(each) > 3 for each in vectors.embed_documents(["a", "b"])]
    return said


def _is_broken(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - of either vendor's library
        return True
    return False


if __name__ == "__main__":
    print(json.dumps(session(*sys.argv[1:])))
