"""Mistral's own words, both ways."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import ClientRequest
from aiservice.dialects.openai_chat import DIALECT as CHAT
from aiservice.providers._base import AttemptFailed
from aiservice.providers.mistral import PROVIDER, short_id
from aiservice.wire import CHAT_WIRE, MESSAGES_WIRE, Ask, EventKind, HttpCall, HttpReply

_CALL = HttpCall("/chat/completions", b"{}")
_ASK = Ask("chat", "chat", {"messages": [{"role": "user", "content": "hi"}]}, is_stream=True)
_THINKING = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}, {"type": "text", "text": "m"}], "closed": True},
    {"type": "text", "text": "144"},
]


def _sent(messages: list[Any], *, wire: str = CHAT_WIRE, is_stream: bool = False, **fields: Any) -> Any:
    ask = Ask("chat", "chat", {"messages": messages, **fields}, is_stream=is_stream, wire=wire)
    return orjson.loads(PROVIDER.build(ask, "mistral-small-latest").body)


def test_fields_have_mistrals_names_and_what_it_does_not_know_is_not_sent() -> None:
    body = _sent([{"role": "user", "content": "a"}], is_stream=True, seed=7, max_completion_tokens=9, user="u")
    assert (body["random_seed"], body["max_tokens"], body["stream"]) == (7, 9, True)
    assert {"seed", "max_completion_tokens", "user", "stream_options"}.isdisjoint(body)


@pytest.mark.parametrize(("field", "value"), [("logprobs", True), ("logit_bias", {"1": 1}), ("top_k", 3)])
def test_what_mistral_answers_with_422_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(AttemptFailed) as failed:
        _sent([{"role": "user", "content": "a"}], **{field: value})
    assert failed.value.failure.param == field


def test_a_tool_calls_id_is_nine_letters_and_the_same_in_its_result() -> None:
    call = {"id": "toolu_01ABCDEF", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turn = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = _sent([turn, {"role": "tool", "tool_call_id": "toolu_01ABCDEF", "content": "1"}])
    made = body["messages"][0]["tool_calls"][0]["id"]
    assert len(made) == 9
    assert made.isalnum()
    assert body["messages"][1]["tool_call_id"] == made
    assert short_id("EscTeQY62") == "EscTeQY62"


@given(st.text(max_size=40), st.text(max_size=40))
def test_ids_that_differ_stay_different(one: str, other: str) -> None:
    assert (short_id(one) == short_id(other)) == (one == other)


def test_an_assistants_last_word_is_a_prefix_to_go_on_from() -> None:
    turn = {"role": "assistant", "content": "Once upon"}
    assert _sent([{"role": "user", "content": "a"}, turn])["messages"][1] == {"prefix": True, **turn}
    assert _sent([turn, {"role": "user", "content": "a"}])["messages"][0] == turn
    assert _sent([{**turn, "prefix": False}])["messages"][0]["prefix"] is False


def test_documents_are_given_by_their_address_or_data() -> None:
    data = "data:application/pdf;base64,JVBERg=="
    for file in ({"filename": "a.pdf", "file_data": data}, {"filename": "a.pdf", "file_url": data}):
        (part,) = _sent([{"role": "user", "content": [{"type": "file", "file": file}]}])["messages"][0]["content"]
        assert part == {"type": "document_url", "document_url": data, "document_name": "a.pdf"}
    with pytest.raises(AttemptFailed) as failed:
        _sent([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}])
    assert failed.value.failure.param == "messages[0].content[0].file.file_id"


def test_thinking_is_a_part_of_the_assistants_content_both_ways() -> None:
    said = {"choices": [{"message": {"role": "assistant", "content": _THINKING}, "finish_reason": "stop"}]}
    answer = PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, orjson.dumps(said)))
    message = answer.body["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"], answer.raw) == ("144", "hmm", None)
    back = _sent([message, {"role": "user", "content": "and?"}])["messages"][0]
    assert back["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]},
        {"type": "text", "text": "144"},
    ]
    assert "reasoning_content" not in back


def test_another_vendors_thinking_is_not_given_to_mistral() -> None:
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"}]
    turn = {"role": "assistant", "content": "4", "reasoning_content": "hm", "reasoning_details": details}
    user = {"role": "user", "content": "a"}
    assert _sent([turn, user], wire=MESSAGES_WIRE)["messages"][0] == {"role": "assistant", "content": "4"}
    assert _sent([turn, user])["messages"][0] == {"role": "assistant", "content": "4"}


def _read(*deltas: Any, **last: Any) -> list[Any]:
    reader = PROVIDER.reader(_ASK, _CALL)
    events = []
    for n, delta in enumerate(deltas):
        is_last = n == len(deltas) - 1
        chunk: dict[str, Any] = {
            "id": "c",
            "choices": [{"index": 0, "delta": delta, **(last if is_last else {})}],
            "p": "abc",
        }
        if is_last:
            chunk["usage"] = {"prompt_tokens": 3, "completion_tokens": 2, "num_cached_tokens": 1}
        events += reader.feed(b"data: " + orjson.dumps(chunk) + b"\n\n")
    events += reader.feed(b"data: [DONE]\n\n") + reader.end()
    assert reader.is_finished
    return events


def test_a_streams_content_is_text_or_parts_chunk_by_chunk() -> None:
    events = _read(
        {"role": "assistant", "content": _THINKING[:1]}, {"content": _THINKING}, {"content": "!"}, finish_reason="stop"
    )
    assert [(event.kind, event.text) for event in events[:4]] == [
        (EventKind.REASONING, "hmm"),
        (EventKind.REASONING, "hmm"),
        (EventKind.TEXT, "144"),
        (EventKind.TEXT, "!"),
    ]
    told = [orjson.loads(event.frame[6:])["choices"][0]["delta"] for event in events if event.frame]
    assert told[:2] == [
        {"role": "assistant", "content": "", "reasoning_content": "hmm"},
        {"content": "144", "reasoning_content": "hmm"},
    ]
    (usage,) = [event.usage for event in events if event.usage]
    assert (usage.input_tokens, usage.cached_input_tokens) == (3, 1)


def test_a_tool_call_without_index_and_type_is_told_as_openai_tells_it() -> None:
    call = {"id": "EscTeQY62", "function": {"name": "f", "arguments": {"city": "Oslo"}}}
    events = _read({"content": None, "tool_calls": [call]}, finish_reason="tool_calls")
    (piece,) = [event for event in events if event.tool_call]
    (told,) = orjson.loads(piece.frame[6:])["choices"][0]["delta"]["tool_calls"]
    arguments = {"name": "f", "arguments": '{"city":"Oslo"}'}
    assert told == {"index": 0, "id": "EscTeQY62", "type": "function", "function": arguments}
    assert (piece.tool_call.index, piece.tool_call.name, piece.tool_call.arguments) == (0, "f", '{"city":"Oslo"}')


def test_nothing_is_lost_where_several_chunks_come_at_once() -> None:
    call = {"id": "EscTeQY62", "function": {"name": "f", "arguments": "{}"}}
    chunks = [{"role": "assistant", "content": ""}, {"content": _THINKING}, {"content": "!"}, {"tool_calls": [call]}]
    frames = [b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n" for delta in chunks]
    reader, writer = PROVIDER.reader(_ASK, _CALL), CHAT.writer(ClientRequest(_ASK))
    out = writer.events(reader.feed(b"".join(frames)))
    deltas = [orjson.loads(line[6:])["choices"][0]["delta"] for line in out.split(b"\n\n") if line]
    assert "".join(delta.get("content") or "" for delta in deltas) == "144!"
    assert deltas[-1]["tool_calls"][0]["function"]["name"] == "f"


def test_a_later_pieces_empty_name_and_null_id_change_nothing() -> None:
    first = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "f", "arguments": ""}}
    second = {"index": 0, "id": "null", "type": "function", "function": {"name": "", "arguments": "{}"}}
    events = _read({"tool_calls": [first]}, {"tool_calls": [second]}, finish_reason="tool_calls")
    pieces = [event.tool_call for event in events if event.tool_call]
    assert [(piece.call_id, piece.name) for piece in pieces] == [("call-1", "f"), (None, None)]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"detail": "Invalid API Key"}, "upstream_auth_failed"),
        (
            422,
            {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs"}]},
            "provider_rejected_request",
        ),
        (422, {"object": "error", "message": {"detail": [{"msg": "Extra inputs"}]}}, "provider_rejected_request"),
        (429, {"object": "error", "message": "Requests rate limit exceeded"}, "provider_quota_exhausted"),
        (
            400,
            {"object": "error", "message": "9 tokens, too large for model with 8"},
            "context_length_exceeded",
        ),
    ],
)
def test_every_form_of_its_errors_is_read(status: int, body: Any, code: str) -> None:
    failure = PROVIDER.failure(HttpReply(status, {}, orjson.dumps(body)))
    assert failure.code == code
    assert status != 422 or "Extra inputs" in failure.message


def test_limits_are_read_in_mistrals_names() -> None:
    headers = {"x-ratelimit-limit-tokens-minute": "100000", "x-ratelimit-remaining-tokens-minute": "97856"}
    (note,) = PROVIDER.quota_in(headers)
    assert (note.measure, note.limit, note.remaining, note.reset_seconds) == ("tokens", 100_000, 97_856, None)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "file", "tool_calls", "id", "thinking", "function"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id"]), _JSON), min_size=1))
def test_any_conversation_is_built_or_refused_by_name(messages: list[Any]) -> None:
    before = orjson.dumps(messages)
    try:
        _sent(messages)
    except AttemptFailed as failed:
        assert failed.failure.param
    assert orjson.dumps(messages) == before


@given(_JSON)
def test_any_content_of_an_answer_is_read_or_is_a_failed_attempt(content: Any) -> None:
    said = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    try:
        PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, orjson.dumps(said)))
    except AttemptFailed as failed:
        assert failed.failure.status >= 400
