"""What a vendor's own tools did comes through whole, streamed the same, and back to the vendor whose it is."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects.anthropic_messages import DIALECT as MESSAGES
from aiservice.dialects.google_generate import GenerateContent
from aiservice.dialects.openai_responses import DIALECT as RESPONSES
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed, Provider
from aiservice.providers._own_calls import OwnCalls
from aiservice.providers.anthropic import PROVIDER as ANTHROPIC
from aiservice.providers.gemini import PROVIDER as GEMINI
from aiservice.providers.gemini_interactions import PROVIDER as INTERACTIONS
from aiservice.providers.openai import PROVIDER as OPENAI
from aiservice.wire import RESPONSES_WIRE, Ask, EventKind, HttpCall, HttpReply, Json, StreamEvent
from tests.mock.shapes.bedrock import frame as bedrock_frame
from tests.providers import anthropic_events as claude
from tests.providers import bedrock_samples as bedrock

_CALL = HttpCall("/x", b"{}")
_ASK = Ask("chat", "chat", {"messages": []}, is_stream=True)
_SEARCH: Json = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
_FOUND: Json = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"url": "https://a.example"}],
}
_OWN_TOOL: Json = {"type": "web_search_20250305", "name": "web_search"}
_RAN: Json = {"type": "code_interpreter_call", "id": "ci_1", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]}
_PATCH: Json = {"type": "apply_patch_call", "id": "ap_1", "call_id": "call_1", "operation": {"type": "delete_file"}}


def _whole(provider: Provider, body: Json) -> Json:
    answer = provider.read(_ASK, _CALL, HttpReply(200, {}, orjson.dumps(body)))
    return dict(answer.body["choices"][0]["message"])


def _claude(*content: Json) -> Json:
    body = {
        "id": "m",
        "model": "c",
        "content": content,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    return _whole(ANTHROPIC, body)


def _own_in(events: list[StreamEvent]) -> Json | None:
    found = [event.details for event in events if event.kind is EventKind.TEXT and event.details is not None]
    assert len(found) <= 1, "it is told once"
    return found[0] if found else None


def _streamed_block(place: int, block: Json) -> list[Json]:
    """A block as Anthropic streams it."""
    match block["type"]:
        case "text":
            pieces = [claude.text(piece, place) for piece in (block["text"][:2], block["text"][2:]) if piece]
            return [claude.begin(place, type="text", text=""), *pieces, claude.end(place)]
        case "thinking":
            return [
                claude.begin(place, type="thinking", thinking="", signature=""),
                claude.delta(place, type="thinking_delta", thinking=block["thinking"]),
                claude.delta(place, type="signature_delta", signature=block["signature"]),
                claude.end(place),
            ]
        case "server_tool_use":
            text = orjson.dumps(block["input"]).decode()
            pieces = [
                claude.delta(place, type="input_json_delta", partial_json=piece) for piece in ("", text[:4], text[4:])
            ]
            return [claude.begin(place, **{**block, "input": {}}), *pieces, claude.end(place)]
    return [claude.begin(place, **block), claude.end(place)]


_BLOCKS = st.lists(
    st.one_of(
        st.builds(
            lambda words: {"type": "text", "text": words}, st.sampled_from(["So", "Well then.", "ä\N{SNOWMAN} 4"])
        ),
        st.just({"type": "thinking", "thinking": "hm", "signature": "sig"}),
        st.builds(lambda number: {**_SEARCH, "id": f"s{number}"}, st.integers(0, 9)),
        st.builds(lambda number: {**_FOUND, "tool_use_id": f"s{number}"}, st.integers(0, 9)),
    ),
    min_size=1,
    max_size=8,
).filter(lambda blocks: all((a["type"], b["type"]) != ("text", "text") for a, b in pairwise(blocks)))


@given(_BLOCKS)
def test_an_answer_of_claude_goes_back_in_the_order_it_came(blocks: list[Json]) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}, _claude(*blocks), {"role": "user", "content": "go on"}]}
    sent = orjson.loads(ANTHROPIC.build(Ask("chat", "chat", {**body, "tools": [_OWN_TOOL]}), "claude-sonnet-4-5").body)
    assert sent["messages"][1]["content"] == blocks


@given(_BLOCKS)
def test_a_stream_of_claude_tells_what_the_whole_answer_tells(blocks: list[Json]) -> None:
    said = [event for place, block in enumerate(blocks) for event in _streamed_block(place, block)]
    events, is_whole = claude.read_all(claude.START, *said, claude.finish("end_turn"), claude.STOP)
    assert is_whole
    assert _own_in(events) == _claude(*blocks).get("extra_content")


def test_without_such_tools_they_are_not_given_back() -> None:
    said = _claude(_SEARCH, _FOUND, {"type": "text", "text": "A."})
    messages = [{"role": "user", "content": "hi"}, said, {"role": "user", "content": "more"}]
    sent = orjson.loads(ANTHROPIC.build(Ask("chat", "chat", {"messages": messages}), "claude-sonnet-4-5").body)
    assert sent["messages"][1]["content"] == [{"type": "text", "text": "A."}]


def test_sources_of_claude_stand_with_their_place() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a.example"}
    said = _claude({"type": "text", "text": "So "}, {"type": "text", "text": "4.", "citations": [cited]})
    own = {"anthropic": {"citations": [{**cited, "content_offset": 3, "reasoning_offset": 0}]}}
    assert said["extra_content"] == own
    events, _ = claude.read_all(
        claude.START, *_streamed_block(0, {"type": "text", "text": "So "}),
        claude.begin(1, type="text", text=""), claude.delta(1, type="citations_delta", citation=cited),
        claude.text("4.", 1), claude.end(1), claude.finish("end_turn"), claude.STOP,
    )  # fmt: skip
    assert _own_in(events) == own


def test_a_client_of_its_own_wire_gets_the_bytes_and_nothing_twice() -> None:
    said = [*_streamed_block(0, _SEARCH), *_streamed_block(1, _FOUND)]
    events, _ = claude.read_all(claude.START, *said, claude.finish("end_turn"), claude.STOP, is_native=True)
    assert _own_in(events) is None
    assert all(event.frame is not None for event in events if event.kind is EventKind.OTHER)


def _openai_stream(*items: Json, ask: Ask = _ASK, **more: Any) -> list[StreamEvent]:
    frames = [{"type": "response.output_item.added", "output_index": n, "item": item} for n, item in enumerate(items)]
    frames += [{"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(items)]
    note = {
        "type": "response.output_text.annotation.added",
        "annotation": {"type": "url_citation", "url": "https://a.example"},
    }
    last = {"type": "response.completed", "response": {"status": "completed", **more}}
    reader = OPENAI.reader(ask, HttpCall("/responses", b"{}", is_stream=True))
    sent = b"".join(b"data: " + orjson.dumps(frame) + b"\n\n" for frame in [*frames, note, last])
    return [*reader.feed(sent), *reader.end()]


def test_what_openais_own_tools_did_is_told_whole_and_streamed() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": "2"}]}
    body = {"status": "completed", "output": [_RAN, _PATCH, message]}
    answer = OPENAI.read(_ASK, HttpCall("/responses", b"{}"), HttpReply(200, {}, orjson.dumps(body)))
    assert answer.body["choices"][0]["message"]["extra_content"] == {"openai": {"output": [_RAN, _PATCH]}}
    own = _own_in(_openai_stream(_RAN, message, _PATCH))
    assert own is not None
    assert own["openai"]["output"] == [_RAN, _PATCH]
    assert own["openai"]["annotations"] == [{"type": "url_citation", "url": "https://a.example"}]


def test_pictures_that_openais_tool_drew_are_counted_once_whole_streamed_and_passed_on() -> None:
    drawn = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0="}
    failed = {"type": "image_generation_call", "id": "ig_2", "status": "failed"}
    told = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    body = {"status": "completed", "output": [drawn, failed], "usage": told}
    answer = OPENAI.read(_ASK, HttpCall("/responses", b"{}"), HttpReply(200, {}, orjson.dumps(body)))
    assert answer.usage is not None
    assert (answer.usage.units, answer.usage.unit, answer.usage.output_tokens) == (1, "image", 2)
    native = Ask("chat", "chat", {}, is_stream=True, wire=RESPONSES_WIRE, native={})
    for ask in (_ASK, native):
        used = [event.usage for event in _openai_stream(drawn, failed, ask=ask, usage=told) if event.usage is not None]
        assert [(usage.units, usage.unit) for usage in used] == [(1, "image")]


def test_what_google_ran_and_found_is_told_whole_and_streamed() -> None:
    code: Json = {"executableCode": {"language": "PYTHON", "code": "1"}}
    ran: Json = {"codeExecutionResult": {"output": "1"}}
    parts: list[Json] = [{"text": "So"}, code, ran, {"text": " 1", "thoughtSignature": "sig"}]
    found: Json = {"groundingMetadata": {"webSearchQueries": ["x"]}}
    body: Json = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP", **found}]}
    place = {"content_offset": 2, "reasoning_offset": 0}
    own: Json = {"google": {"thought_signature": "sig", **found, "parts": [{**code, **place}, {**ran, **place}]}}
    assert _whole(GEMINI, body)["extra_content"] == own
    reader = GEMINI.reader(_ASK, _CALL)
    pieces: list[Json] = [{"candidates": [{"content": {"parts": [part]}}]} for part in parts]
    pieces.append({"candidates": [{"content": {"parts": []}, "finishReason": "STOP", **found}]})
    sent = b"".join(b"data: " + orjson.dumps(piece) + b"\n\n" for piece in pieces)
    events = [*reader.feed(sent), *reader.end()]
    assert [event.details for event in events if event.details][-1] == own


def test_what_bedrock_ran_itself_is_told_whole_and_streamed() -> None:
    use: Json = {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use"}
    result: Json = {"toolUseId": "t", "type": "nova_grounding_result"}
    told: list[Json] = [{"toolUse": {**use, "input": {"q": 1}}}, {"toolResult": {**result, "content": [{"json": {}}]}}]
    events, _ = bedrock.streamed(
        bedrock.begun(),
        bedrock_frame("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": use}}),
        bedrock.delta(0, toolUse={"input": '{"q":1}'}), bedrock.stop(0),
        bedrock_frame("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolResult": result}}),
        bedrock.delta(1, toolResult=[{"json": {}}]), bedrock.stop(1),
        bedrock.delta(2, text="A."), bedrock.delta(2, citation={"title": "x"}), bedrock.stop(2), bedrock.ended(),
    )  # fmt: skip
    own = _own_in(events)
    assert own is not None
    place = {"content_offset": 0, "reasoning_offset": 0}
    assert own["bedrock"]["content"] == [{**each, **place} for each in told]
    whole = bedrock.answer(*told, {"citationsContent": {"content": [{"text": "A."}], "citations": [{"title": "x"}]}})
    message = whole.body["choices"][0]["message"]
    assert message["extra_content"]["bedrock"]["content"] == own["bedrock"]["content"]
    assert message["content"] == "A."


def test_of_more_than_4_mib_it_is_said_how_many_were_left_out() -> None:
    own = OwnCalls("x")
    for _ in range(5):
        own.add("content", {"output": "y" * 2**20})
    found = own.extra_content()
    assert found is not None
    assert (len(found["x"]["content"]), found["x"]["omitted"]) == (3, 2)


_TOOLS: tuple[Json, ...] = (
    {"type": "apply_patch"}, {"type": "shell"}, {"type": "local_shell"}, {"type": "computer_use_preview"},
    {"type": "mcp", "server_label": "s", "server_url": "https://s.example", "require_approval": "always"},
    {"type": "code_interpreter", "container": {"type": "auto"}}, {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "web_search"}, {"type": "image_generation"}, _OWN_TOOL, {"type": "bash_20250124", "name": "bash"},
    {"googleSearch": {}}, {"codeExecution": {}}, {"type": "tool_of_tomorrow"},
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(registry()))
def test_a_tool_is_sent_as_it_is_or_refused_by_its_name(kind: str) -> None:
    """On every surface that has a word for tools, by every provider that chats."""
    provider = registry()[kind].at("https://h.example")
    model = next((name for name in _MODELS if provider.serves(name, "chat")), None)
    if model is None:
        return
    for surface, tool in _ASKED:
        ask = surface(tool)
        try:
            sent = orjson.loads(provider.build(ask, model).body)
        except AttemptFailed as failed:
            assert (failed.failure.status, (failed.failure.param or "")[:5]) == (400, "tools"), tool
            continue
        assert tool in sent.get("tools", ()), f"{tool} was left out, and nothing was said"


def _chat(tool: Json) -> Ask:
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    return Ask("chat", "chat", {"messages": [{"role": "user", "content": "hi"}], "tools": [function, tool]})


def _messages(tool: Json) -> Ask:
    message = {"role": "user", "content": "hi"}
    return MESSAGES.read({"model": "m", "max_tokens": 5, "messages": [message], "tools": [tool]}).ask


def _responses(tool: Json) -> Ask:
    return RESPONSES.read({"model": "m", "input": "hi", "tools": [tool]}).ask


def _google(tool: Json) -> Ask:
    return GenerateContent("m").read({"contents": [{"parts": [{"text": "hi"}]}], "tools": [tool]}).ask


_ASKED = (
    *((_chat, tool) for tool in _TOOLS),
    *((_messages, tool) for tool in _TOOLS if str(tool.get("type")).endswith(("20250305", "20250124"))),
    *((_responses, tool) for tool in _TOOLS if "type" in tool),
    *((_google, tool) for tool in _TOOLS if "type" not in tool),
)
_MODELS = ("gpt-5", "claude-sonnet-4-5", "gemini-2.5-flash", "us.amazon.nova-pro-v1:0", "command-a-03-2025", "llama3")


def test_interactions_names_googles_tool() -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "tools": [{"googleSearch": {}}]}
    with pytest.raises(AttemptFailed) as caught:
        INTERACTIONS.build(Ask("chat", "chat", body), "gemini-2.5-flash")
    assert caught.value.failure.param == "tools[0]"
