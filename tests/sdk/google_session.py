"""One session of google-genai, Google's own library, unchanged but for address and key."""

import asyncio
from collections.abc import Callable
from typing import Any

from google import genai
from google.genai import errors, types
from pydantic import BaseModel

Json = dict[str, Any]

_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f85f0f0002870180eb47ba92"
)
_ASKED = 'weather? (tool weather {"city": "Bern"})'


class Place(BaseModel):
    """What a schema asks for."""

    city: str


def weather(city: str) -> str:
    """The weather of a city."""
    return "snow" if city == "Bern" else "sun"


def google_session(base_url: str, key: str, model: str, embedding_model: str) -> Json:
    """What each step gave."""
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base_url))
    stranger = genai.Client(api_key=key[:-1], http_options=types.HttpOptions(base_url=base_url))
    ask = client.models.generate_content
    by_hand = types.GenerateContentConfig(
        tools=[weather], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    schema = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Place)
    picture = types.Part.from_bytes(data=_PIXEL, mime_type="image/png")
    chat = client.chats.create(model=model, config=types.GenerateContentConfig(tools=[weather]))
    streamed_chat = client.chats.create(model=model)
    texts = [part.text or "" for part in streamed_chat.send_message_stream("say (words-5) please")]
    vectors = client.models.embed_content(model=embedding_model, contents=["one", "two"]).embeddings or []
    return {
        "chat": _facts(ask(model=model, contents="say (words-5) please")),
        "stream": _facts_of(list(client.models.generate_content_stream(model=model, contents="say (words-5) please"))),
        "remembered": "".join(texts) == _remembered(streamed_chat.get_history(curated=True)),
        "tool": _called([ask(model=model, contents=_ASKED, config=by_hand)]),
        "tool_stream": _called(
            list(client.models.generate_content_stream(model=model, contents=_ASKED, config=by_hand))
        ),
        "after_tool": chat.send_message(_ASKED).text,
        "json": ask(model=model, contents="where? (json)", config=schema).parsed,
        "image": ask(model=model, contents=["what is this (words-2)", picture]).text,
        "vectors": [len(vector.values or []) > 0 for vector in vectors],
        "count": (client.models.count_tokens(model=model, contents="one two three").total_tokens or 0) > 0,
        "listed": f"models/{model.partition('/')[2]}" in [found.name for found in client.models.list()],
        "async": asyncio.run(_in_async(base_url, key, model)),
        "bad": _refused(lambda: ask(model=model, contents="(status-400)")),
        "down": _refused(lambda: ask(model=model, contents="(status-500)")),
        "limit": _refused(lambda: ask(model=model, contents="(retry-after-2)")),
        "stranger": _refused(lambda: stranger.models.generate_content(model=model, contents="hi")),
        "broken": _refused(lambda: list(client.models.generate_content_stream(model=model, contents="(error-event)"))),
    }


async def _in_async(base_url: str, key: str, model: str) -> list[str]:
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base_url)).aio
    whole = await client.models.generate_content(model=model, contents="say (words-2) please")
    stream = await client.models.generate_content_stream(model=model, contents="say (words-3) please")
    return [whole.text or "", "".join([part.text or "" async for part in stream])]


def _remembered(history: list[types.Content]) -> str:
    """What the model said, as far as the library found it whole."""
    parts = [part for content in history if content.role == "model" for part in content.parts or []]
    return "".join(part.text or "" for part in parts)


def _facts(answer: types.GenerateContentResponse) -> Json:
    return _facts_of([answer])


def _facts_of(answers: list[types.GenerateContentResponse]) -> Json:
    usage, candidates = answers[-1].usage_metadata, answers[-1].candidates
    assert usage is not None
    assert candidates
    finish = candidates[0].finish_reason
    return {
        "text": "".join(answer.text or "" for answer in answers),
        "finish": finish.value if finish is not None else None,
        "input": usage.prompt_token_count,
        "output": usage.candidates_token_count,
    }


def _called(answers: list[types.GenerateContentResponse]) -> list[Any]:
    return [(call.name, call.args) for answer in answers for call in answer.function_calls or []]


def _refused(call: Callable[[], object]) -> Json:
    try:
        call()
    except errors.APIError as error:
        return {"kind": type(error).__name__, "status": error.status}
    return {}
