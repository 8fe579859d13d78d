"""LlamaIndex by OpenAI's wire: argv is base URL, key, model, a model of embeddings. Prints one JSON object."""

import base64
import json
import sys
from collections.abc import Callable
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from openai import APIError, APIStatusError

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_ASKED = 'weather? (tool weather {"city": "Bern"})'
_PLACE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def weather(city: str) -> str:
    """The weather of a city."""
    return f"snow in {city}"


def _user(text: str) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=text)]


def _refused(call: Callable[[], object]) -> dict[str, Any]:
    try:
        call()
    except APIStatusError as error:
        return {"status": error.status_code, "retry_after": error.response.headers.get("retry-after")}
    return {"status": 200}


def session(base_url: str, key: str, model: str, embedder: str) -> dict[str, Any]:
    def made(api_key: str) -> Any:
        return OpenAILike(
            model=model, api_base=base_url, api_key=api_key, is_chat_model=True, is_function_calling_model=True,
            max_retries=0,
        )  # fmt: skip

    llm = made(key)
    tool = FunctionTool.from_defaults(fn=weather)
    whole = llm.chat(_user("say (words-5) please"))
    *_, last = llm.stream_chat(_user("say (words-5) please"))
    first = llm.chat_with_tools([tool], user_msg=_ASKED)
    call = llm.get_tool_calls_from_response(first)[0]
    result = ChatMessage(role=MessageRole.TOOL, content="snow", additional_kwargs={"tool_call_id": call.tool_id})
    shape = {"type": "json_schema", "json_schema": {"name": "place", "schema": _PLACE}}
    seen = [ImageBlock(image=base64.b64decode(_PIXEL), image_mimetype="image/png"), TextBlock(text="what? (words-2)")]
    vectors = OpenAILikeEmbedding(model_name=embedder, api_base=base_url, api_key=key, max_retries=0)
    broken = False
    try:
        for _ in llm.stream_chat(_user("(error-event)")):
            pass
    except APIError:
        broken = True
    return {
        "chat": whole.message.content,
        "usage": [whole.raw.usage.prompt_tokens, whole.raw.usage.completion_tokens],
        "stream": last.message.content,
        "tool": {"name": call.tool_name, "arguments": call.tool_kwargs},
        "after_tool": llm.chat([*_user(_ASKED), first.message, result]).message.content,
        "json": json.loads(llm.chat(_user("where? (json)"), response_format=shape).message.content),
        "image": llm.chat([ChatMessage(role=MessageRole.USER, blocks=seen)]).message.content,
        "vectors": [len(each) > 3 for each in vectors.get_text_embedding_batch(["a", "b"])],
        "bad": _refused(lambda: llm.chat(_user("(status-400)"))),
        "down": _refused(lambda: llm.chat(_user("(status-500)"))),
        "limit": _refused(lambda: llm.chat(_user("(retry-after-2)"))),
        "stranger": _refused(lambda: made(key[:-1]).chat(_user("hi"))),
        "broken": broken,
    }


if __name__ == "__main__":
    print(json.dumps(session(*sys.argv[1:])))
