"""What a strict server is not told: the field's words that OpenAI has not."""

import copy
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._openai_strict import Keeps, strict_body
from aiservice.providers.openai import PROVIDER as OPENAI
from aiservice.providers.openai_compatible import PROVIDER as COMPATIBLE
from aiservice.wire import MESSAGES_WIRE, Ask

_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_TURN: dict[str, Any] = {
    "role": "assistant",
    "content": None,
    "reasoning_content": "hm",
    "reasoning_details": [{"type": "reasoning.text", "text": "hm", "format": "anthropic-claude-v1"}],
    "tool_calls": [{**_CALL, "extra_content": {"google": {"thought_signature": "s"}}}],
}
_RESULT: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "no", "is_error": True}
_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def _sent(messages: list[Any], model: str = "m", **fields: Any) -> dict[str, Any]:
    ask = Ask("chat", "chat", {"messages": messages, **fields}, wire=MESSAGES_WIRE)
    body: dict[str, Any] = orjson.loads(COMPATIBLE.build(ask, model).body)
    return body


def test_words_of_the_field_stay_here() -> None:
    marked = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}
    body = _sent([{"role": "user", "content": [marked]}, _TURN, _RESULT], tools=[tool])
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "no"},
    ]
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]


def test_thinking_goes_back_with_the_call_it_led_to_where_a_vendor_demands_it() -> None:
    assert _sent([_TURN], "deepseek-reasoner")["messages"][0]["reasoning_content"] == "hm"
    plain = {"role": "assistant", "content": "x", "reasoning_content": "hm"}
    assert _sent([plain], "deepseek-reasoner")["messages"] == [{"role": "assistant", "content": "x"}]
    ask = Ask("chat", "chat", {"messages": [_TURN]}, wire=MESSAGES_WIRE)
    assert "reasoning_content" not in orjson.loads(OPENAI.build(ask, "deepseek-like").body)["messages"][0]


def test_a_client_of_chat_completions_keeps_its_own_words() -> None:
    ask = Ask("chat", "chat", {"messages": [_TURN, _RESULT]})
    assert orjson.loads(COMPATIBLE.build(ask, "m").body)["messages"] == [_TURN, _RESULT]


def test_images_of_tools_follow_in_a_message_after_all_results() -> None:
    two = {**_TURN, "tool_calls": [_CALL, {**_CALL, "id": "c2"}]}
    results = [
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}, _IMAGE]},
        {"role": "tool", "tool_call_id": "c2", "content": [_IMAGE]},
    ]
    sent = _sent([two, *results, {"role": "user", "content": "and?"}])["messages"]
    assert [message["role"] for message in sent] == ["assistant", "tool", "tool", "user", "user"]
    assert sent[1]["content"] == [{"type": "text", "text": "one"}]
    assert isinstance(sent[2]["content"], str)
    assert [part["type"] for part in sent[3]["content"]] == ["text", "image_url", "text", "image_url"]
    assert "c1" in sent[3]["content"][0]["text"]
    assert sent[4] == {"role": "user", "content": "and?"}


def test_a_document_has_a_name_and_its_address_where_servers_look_for_it() -> None:
    by_address = {"type": "file", "file": {"filename": "a.pdf", "file_url": "https://example.com/a.pdf"}}
    nameless = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA=="}}
    sent = _sent([{"role": "user", "content": [by_address, nameless]}])["messages"][0]["content"]
    assert sent[0]["file"] == {"filename": "a.pdf", "file_data": "https://example.com/a.pdf"}
    assert sent[1]["file"] == {"filename": "document", "file_data": "data:application/pdf;base64,AA=="}


_VALUES = (
    st.none()
    | st.text(max_size=5)
    | st.dictionaries(st.sampled_from(["filename", "file_data", "file_url"]), st.text(max_size=3))
)
_PARTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "image_url", "file"])},
        optional={"text": st.text(max_size=5), "file": _VALUES, "cache_control": _VALUES},
    ),
    max_size=3,
)
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system"])},
        optional={
            "content": st.none() | st.text(max_size=5) | _PARTS,
            "tool_calls": st.lists(st.just({**_CALL, "extra_content": {}}), max_size=2),
            "reasoning_content": st.text(max_size=5),
            "reasoning_details": st.just([]),
            "is_error": st.booleans(),
        },
    ),
    max_size=6,
)


@given(_MESSAGES)
def test_any_messages_lose_our_words_alone_and_are_not_changed_themselves(messages: list[Any]) -> None:
    before = copy.deepcopy(messages)
    sent = strict_body({"messages": messages}, Keeps())["messages"]
    assert messages == before
    for word in ("reasoning_details", "is_error", "extra_content", "cache_control", "reasoning_content"):
        assert f'"{word}"' not in orjson.dumps(sent).decode()
    roles = [message["role"] for message in sent if message.get("content") is None or "Attached" not in str(message)]
    assert [role for role in roles if role != "user"] == [m["role"] for m in messages if m["role"] != "user"]
    texts = [
        part["text"] for m in messages for part in m.get("content") or () if isinstance(part, dict) and "text" in part
    ]
    assert all(text in orjson.dumps(sent).decode() for text in texts if text.isalnum())
