"""Messages, read: everything has a word of ours, or is named; what is wrong is said."""

from typing import Any

import pytest

from aiservice.dialects._base import headers_of_wire
from aiservice.dialects.anthropic_messages import COUNT_DIALECT, DIALECT
from aiservice.errors import InvalidRequest
from aiservice.wire import MESSAGES_WIRE, Ask

_PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
_MARK = {"type": "ephemeral"}


def _body(*content: Any, role: str = "user", **fields: Any) -> dict[str, Any]:
    messages = [{"role": role, "content": list(content)}] if content else [{"role": "user", "content": "x"}]
    return {"model": "m", "max_tokens": 9, "messages": messages, **fields}


def _ask(*content: Any, **fields: Any) -> Ask:
    return DIALECT.read(_body(*content, **fields)).ask


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def test_a_plain_request_is_our_form_and_keeps_its_own() -> None:
    body = _body(system="be brief", temperature=0.5, top_p=0.9, top_k=4, stop_sequences=["END"], stream=True)
    request = DIALECT.read(body)
    ask = request.ask
    assert (request.model, ask.requested_model, ask.is_stream, ask.task, ask.kind) == ("m", "m", True, "chat", "chat")
    assert (ask.wire, ask.native, ask.uncarried) == (MESSAGES_WIRE, body, ())
    assert ask.body == {
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "x"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "stop": ["END"],
    }


def test_a_system_in_blocks_is_one_text_unless_its_cache_mark_would_be_lost() -> None:
    plain = _ask(system=[_text("a"), _text("b")]).body["messages"][0]
    assert plain == {"role": "system", "content": "a\n\nb"}
    marked = _ask(system=[_text("a"), _text("b", cache_control=_MARK)]).body["messages"][0]
    assert marked["content"] == [_text("a"), _text("b", cache_control=_MARK)]


def test_an_image_is_a_part_with_its_data_or_its_address() -> None:
    ask = _ask(
        _text("see"),
        {"type": "image", "source": _PNG, "cache_control": _MARK},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
    )
    assert ask.body["messages"][0]["content"] == [
        _text("see"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "cache_control": _MARK},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
    ]


def test_documents_are_files_or_text() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    ask = _ask(
        {"type": "document", "source": pdf, "title": "t.pdf", "context": "about keys"},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, "title": "T"},
        {
            "type": "document",
            "source": {"type": "content", "content": [_text("one"), {"type": "image", "source": _PNG}]},
        },
        {"type": "document", "source": {"type": "content", "content": "two"}},
        {"type": "search_result", "title": "S", "source": "https://s", "content": [_text("found")]},
    )
    assert ask.body["messages"][0]["content"] == [
        _text("about keys"),
        {"type": "file", "file": {"filename": "t.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "file", "file": {"filename": "document.pdf", "file_url": "https://x/y.pdf"}},
        _text("T"),
        _text("words"),
        _text("one"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        _text("two"),
        _text("S\nhttps://s"),
        _text("found"),
    ]
    assert ask.uncarried == ()


def test_tool_results_are_messages_of_their_own_before_the_users_words() -> None:
    ask = _ask(
        {"type": "tool_result", "tool_use_id": "a", "content": "ok"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True, "content": [_text("x"), _text("y")]},
        {"type": "tool_result", "tool_use_id": "c"},
        {"type": "tool_result", "tool_use_id": "d", "content": [_text("see"), {"type": "image", "source": _PNG}]},
        {"type": "tool_result", "tool_use_id": "e", "content": "last", "cache_control": _MARK},
        _text("go on"),
    )
    assert ask.body["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "ok"},
        {"role": "tool", "tool_call_id": "b", "content": "x\ny", "is_error": True},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {
            "role": "tool",
            "tool_call_id": "d",
            "content": [_text("see"), {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
        },
        {"role": "tool", "tool_call_id": "e", "content": [_text("last", cache_control=_MARK)]},
        {"role": "user", "content": "go on"},
    ]


def test_an_assistants_turn_keeps_its_thinking_its_text_and_its_calls() -> None:
    ask = _ask(
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        _text("I look. "),
        _text("Now."),
        {"type": "tool_use", "id": "a", "name": "find", "input": {"q": 1}, "caller": {"type": "direct"}},
        role="assistant",
    )
    assert ask.body["messages"] == [
        {
            "role": "assistant",
            "content": "I look. Now.",
            "reasoning_content": "hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1"},
                {"type": "reasoning.encrypted", "data": "opaque", "format": "anthropic-claude-v1"},
            ],
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"q":1}'}}],
        }
    ]
    assert ask.uncarried == ()


def test_a_call_without_words_has_no_content() -> None:
    ask = _ask({"type": "tool_use", "id": "a", "name": "f", "input": {}}, role="assistant")
    assert ask.body["messages"][0]["content"] is None


def test_tools_and_every_choice_of_them() -> None:
    schema = {"type": "object", "properties": {}}
    tools = [{"name": "f", "description": "d", "input_schema": schema, "strict": True, "cache_control": _MARK}]
    expected = {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema, "strict": True}}
    choices: list[tuple[dict[str, Any], Any]] = [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ]
    for choice, ours in choices:
        body = _ask(tools=tools, tool_choice=choice).body
        assert body["tools"] == [{**expected, "cache_control": _MARK}]
        assert body["tool_choice"] == ours
        assert "parallel_tool_calls" not in body
        alone = _ask(tools=tools, tool_choice={**choice, "disable_parallel_tool_use": True}).body
        assert alone["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4097}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 20_000}}, "high"),
        ({"thinking": {"type": "disabled"}}, None),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}}, "low"),
    ],
)
def test_thinking_becomes_an_effort(fields: dict[str, Any], effort: str | None) -> None:
    ask = _ask(**fields)
    assert (ask.body.get("reasoning_effort"), ask.uncarried) == (effort, ())


def test_a_schema_is_strict_where_openai_could_hold_it() -> None:
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    loose = [{**closed, "required": []}, {"type": "object"}, {**closed, "allOf": []}]
    for schema, is_strict in ((closed, True), *((schema, False) for schema in loose)):
        for field in ("output_config", "output_format"):
            wanted: dict[str, Any] = {"type": "json_schema", "schema": schema}
            ask = _ask(**{field: {"format": wanted} if field == "output_config" else wanted})
            shape = {"name": "output", "schema": schema, "strict": is_strict}
            assert ask.body["response_format"] == {"type": "json_schema", "json_schema": shape}
            assert ask.uncarried == ()


def test_the_small_fields_have_their_words() -> None:
    ask = _ask(metadata={"user_id": "u"}, service_tier="standard_only", speed="standard", container=None)
    assert (ask.body["user"], ask.body["service_tier"], ask.uncarried) == ("u", "default", ())


def test_hints_are_no_obstacle() -> None:
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}]
    ask = _ask(cache_control=_MARK, diagnostics={"previous_message_id": "x"}, context_management={"edits": edits})
    assert ask.uncarried == ()


def test_tools_out_of_sight_are_given_to_who_has_no_search_for_them() -> None:
    found = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_reference", "tool_name": "f"}]}
    ask = _ask(found, tools=[{"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}])
    assert ask.uncarried == ()
    assert [tool["function"]["name"] for tool in ask.body["tools"]] == ["f"]
    assert ask.body["messages"] == [{"role": "tool", "tool_call_id": "a", "content": "f"}]


def test_thinking_that_anthropic_did_not_sign_is_never_shown_to_it() -> None:
    own = {"type": "thinking", "thinking": "mine", "signature": "sig"}
    others = [
        {"type": "thinking", "thinking": "deepseek's", "signature": ""},
        {"type": "redacted_thinking", "data": "aiservice.v1.e30="},
    ]
    body = _body(*others, own, _text("x"), role="assistant")
    body["messages"].append({"role": "assistant", "content": [others[0]]})
    ask = DIALECT.read(body).ask
    assert ask.native is not None
    assert ask.native["messages"] == [{"role": "assistant", "content": [own, _text("x")]}]
    assert len(body["messages"][0]["content"]) == 4


def test_a_count_needs_no_limit_and_generates_nothing() -> None:
    ask = COUNT_DIALECT.read({"model": "m", "messages": [{"role": "user", "content": "x"}]}).ask
    assert (ask.kind, ask.task, ask.is_stream, ask.body) == (
        "token-count",
        "chat",
        False,
        {"messages": [{"role": "user", "content": "x"}]},
    )


def test_the_headers_of_the_wire_are_vetted() -> None:
    headers = [(b"anthropic-beta", b"a-1,b-2"), (b"x-api-key", b"secret"), (b"anthropic-beta", b" c-3 ")]
    assert headers_of_wire(DIALECT, headers) == (("anthropic-beta", "a-1,b-2,c-3"),)
    for value in (b"", b"a\r\nx: y", b"a" * 2000, b"\xc3\xa9"):
        with pytest.raises(InvalidRequest):
            headers_of_wire(DIALECT, [(b"anthropic-version", value)])
