"""What is plain is translated by a shorter way: it says what the whole way says, whatever it is given.

The whole way is forced by a field that says nothing, beside those that are there.
"""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import Outcome
from aiservice.dialects.google_generate import GenerateContent
from aiservice.dialects.openai_responses import DIALECT as RESPONSES
from aiservice.errors import InvalidRequest
from aiservice.providers._base import AttemptFailed, Provider
from aiservice.providers.bedrock import PROVIDER as BEDROCK
from aiservice.providers.gemini import PROVIDER as GEMINI
from aiservice.wire import Answer, Ask, HttpCall, HttpReply, Json, Usage

_ANY: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab ", max_size=3) | st.just([]) | st.just({})
)
_TEXTS = st.sampled_from(["", " ", "a", "b\n", "{}"])
_MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "user", "assistant", "developer", "tool", None, []]),
    _TEXTS | _ANY | st.lists(st.builds(lambda text: {"type": "text", "text": text}, _TEXTS), max_size=2),
)
_CHATS = st.builds(
    lambda messages, more: {"messages": messages, **more},
    st.lists(_MESSAGES | _ANY, max_size=3),
    st.dictionaries(
        st.sampled_from(
            ["max_tokens", "max_completion_tokens", "stop", "temperature", "top_p", "top_k", "seed", "user", "n",
             "metadata", "tools", "presence_penalty"]
        ),
        _ANY,
        max_size=3,
    ),
)  # fmt: skip


def _built(provider: Provider, model: str, chat: Json) -> object:
    try:
        return orjson.loads(provider.build(Ask("chat", "chat", chat), model).body)
    except AttemptFailed as refused:
        return refused.failure


@pytest.mark.parametrize(
    ("provider", "model"),
    [(GEMINI, "gemini-2.5-flash"), (BEDROCK, "amazon.nova-lite-v1:0"), (BEDROCK, "anthropic.claude-sonnet-4-5")],
    ids=["gemini", "bedrock", "bedrock-claude"],
)
@given(_CHATS)
def test_a_plain_chat_is_built_as_any_other(provider: Provider, model: str, chat: Json) -> None:
    messages = [{**each, "name": None} if isinstance(each, dict) else each for each in chat["messages"]]
    whole = {**chat, "messages": messages, "response_format": None}
    assert _built(provider, model, chat) == _built(provider, model, whole)


_PARTS = st.builds(lambda name, text: {name: text}, st.sampled_from(["text", "text", "thought"]), _TEXTS | _ANY)
_CANDIDATES = st.builds(
    lambda parts, more: {"content": {"role": "model", "parts": parts}, **more},
    st.lists(_PARTS | _ANY, max_size=2) | _ANY,
    st.dictionaries(
        st.sampled_from(["finishReason", "index", "content", "safetyRatings", "tokenCount"]),
        st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "OTHER", 1, 2]) | _ANY,
        max_size=3,
    ),
)
_USAGES = st.dictionaries(
    st.sampled_from(["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "x"]), _ANY, max_size=3
)
_GEMINIS = st.fixed_dictionaries(
    {"candidates": st.lists(_CANDIDATES | _ANY, max_size=2) | _ANY},
    optional={
        "usageMetadata": _USAGES | _ANY,
        "modelVersion": _ANY | st.sampled_from(["models/gemini-x", "m" * 300]),
        "responseId": _ANY,
    },
)


def _read(said: Json) -> object:
    call = HttpCall("/v1beta/models/gemini-2.5-flash:generateContent", b"")
    try:
        answer = GEMINI.read(Ask("chat", "chat", {}), call, HttpReply(200, {}, orjson.dumps(said)))
    except AttemptFailed as failed:
        return failed.failure
    answer.body.pop("created")
    return answer


@given(_GEMINIS)
def test_a_plain_answer_of_geminis_is_read_as_any_other(said: Json) -> None:
    assert _read(said) == _read({**said, "promptFeedback": {}})


_CONTENTS = st.builds(
    lambda parts, more: {"parts": parts, **more},
    st.lists(_PARTS, max_size=2) | _ANY,
    st.dictionaries(st.just("role"), st.sampled_from(["user", "model", "function", "x"])),
)
_GOOGLES = st.fixed_dictionaries(
    {"contents": st.lists(_CONTENTS, min_size=1, max_size=3)},
    optional={
        "systemInstruction": st.builds(lambda parts: {"parts": parts}, st.lists(_PARTS, max_size=2)),
        "generationConfig": st.dictionaries(
            st.sampled_from(["maxOutputTokens", "temperature", "topK", "stopSequences", "seed"]), _ANY, max_size=3
        ),
        "safetySettings": _ANY,
        "store": _ANY,
    },
)


def _asked(body: Json) -> object:
    try:
        ask = GenerateContent("gemini-x").read(body).ask
    except InvalidRequest as refused:
        return refused.param, refused.message
    return ask.body, ask.uncarried


@given(_GOOGLES)
def test_a_plain_request_of_googles_is_read_as_any_other(body: Json) -> None:
    whole: Json = {**body, "toolConfig": None, "serviceTier": None}
    if "generationConfig" in body:
        whole["generationConfig"] = {**body["generationConfig"], "responseModalities": None}
    if "systemInstruction" in body:
        whole["systemInstruction"] = {**body["systemInstruction"], "role": None}
    assert _asked(body) == _asked(whole)


@given(
    st.dictionaries(
        st.sampled_from(["role", "content", "refusal", "reasoning_content", "annotations", "tool_calls"]),
        _TEXTS | _ANY,
        max_size=4,
    ),
    st.sampled_from(["stop", "length", "content_filter", "budget_exhausted", None]),
    _ANY,
)
def test_a_plain_answer_is_a_response_as_any_other(message: Json, finish: Any, logprobs: Any) -> None:
    def told(said: Json) -> object:
        ask = Ask("chat", "chat", {}, native={"temperature": 0, "user": None}, answer_fields={"store": True})
        outcome = Outcome("req_1", 7, "chat", "p", "m", finish, Usage(3, 4), ask=ask)
        choice = {"index": 0, "message": said, "logprobs": logprobs}
        return orjson.loads(RESPONSES.answer(Answer({"choices": [choice]}, "m", finish), outcome))

    assert told(message) == told({**message, "of_no_wire": 1})
