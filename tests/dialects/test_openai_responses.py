"""A Responses request in our form: what it says is carried, named where it cannot be, and never dropped."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects.openai_responses import COUNT_DIALECT, DIALECT
from aiservice.errors import InvalidRequest
from aiservice.wire import Ask

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}


def _read(given: Any = "hi", **fields: Any) -> Ask:
    return DIALECT.read({"model": "m", "input": given, **fields}).ask


def _messages(*items: Any) -> list[Any]:
    ask = _read(list(items))
    assert ask.uncarried == ()
    messages: list[Any] = ask.body["messages"]
    return messages


def _call(call_id: str = "call_1", **fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "weather", "arguments": '{"city":"Bern"}', **fields}


def test_a_text_is_a_message_and_instructions_come_before_it() -> None:
    assert _read("hi", instructions="Be brief.").body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_what_stands_between_two_user_turns_is_one_message_of_the_assistants() -> None:
    messages = _messages(
        {"role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
        {"role": "user", "content": "weather?"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
        _call("call_1"),
        _call("call_2"),
        {"type": "function_call_output", "call_id": "call_1", "output": "snow"},
        {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "rain"}]},
        {"role": "assistant", "content": "Snow and rain."},
    )
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "tool", "assistant"]
    said = messages[2]
    assert (said["content"], said["reasoning_content"]) == ("Looking.", "hm")
    assert [call["id"] for call in said["tool_calls"]] == ["call_1", "call_2"]
    assert [message["content"] for message in messages[3:]] == ["snow", "rain", "Snow and rain."]


def test_images_documents_and_sound_are_carried() -> None:
    parts = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        {"type": "input_file", "file_url": "https://x/y.pdf"},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]
    (message,) = _messages({"role": "user", "content": parts})
    assert message["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        {"type": "file", "file": {"file_url": "https://x/y.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]


def test_openais_own_reasoning_is_carried_under_its_id() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
    (message,) = _messages({**item, "encrypted_content": "opaque"})
    format_ = {"id": "rs_1", "format": "openai-responses-v1"}
    assert message["reasoning_details"] == [
        {"type": "reasoning.summary", "summary": "hm", **format_},
        {"type": "reasoning.encrypted", "data": "opaque", **format_},
    ]


def test_fields_get_the_words_of_our_form() -> None:
    body = _read(
        tools=[TOOL],
        tool_choice={"type": "function", "name": "weather"},
        text={"format": {"type": "json_schema", "name": "p", "schema": {"type": "object"}}, "verbosity": "low"},
        reasoning={"effort": "low", "summary": "auto"},
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        parallel_tool_calls=False,
        safety_identifier="u-1",
        prompt_cache_key="k",
        metadata={"a": "b"},
        include=["reasoning.encrypted_content", "message.output_text.logprobs"],
    ).body
    body.pop("messages")
    function = {"name": "weather", "parameters": {"type": "object"}, "strict": True}
    assert body == {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object"}}},
        "verbosity": "low",
        "reasoning_effort": "low",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "parallel_tool_calls": False,
        "user": "u-1",
        "logprobs": True,
        "top_logprobs": 0,
    }


def test_a_custom_tool_is_called_with_an_object_that_holds_its_text() -> None:
    ask = _read(
        [
            {"role": "user", "content": "go"},
            {"type": "custom_tool_call", "call_id": "call_1", "name": "run", "input": 'say "hi"'},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "hi"},
        ],
        tools=[{"type": "custom", "name": "run", "description": "Runs it."}],
        tool_choice={"type": "custom", "name": "run"},
    )
    assert ask.uncarried == ()
    assert ask.body["messages"][1]["tool_calls"][0]["function"] == {
        "name": "run",
        "arguments": '{"input":"say \\"hi\\""}',
    }
    assert ask.body["tools"][0]["function"]["parameters"]["required"] == ["input"]
    assert ask.body["tool_choice"] == {"type": "function", "function": {"name": "run"}}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tools": [TOOL, {"type": "web_search"}]}, "tools[1] (web_search)"),
        ({"tools": [{"type": "custom", "name": "x", "format": {"type": "grammar"}}]}, "tools[0].format"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"truncation": "auto"}, "truncation"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"include": ["something.new"]}, "include"),
        ({"something_new": 1}, "something_new"),
        (
            {"input": [{"type": "web_search_call", "id": "ws_1"}, {"role": "user", "content": "x"}]},
            "input[0] (web_search_call)",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].file_id",
        ),
    ],
)
def test_what_our_form_has_no_word_for_is_named(fields: dict[str, Any], named: str) -> None:
    ask = DIALECT.read({"input": "hi", **fields}).ask
    assert ask.uncarried == (named,)
    assert ask.native == {"input": "hi", **fields}


def test_a_streams_log_probabilities_are_named_as_no_event_of_ours_has_them() -> None:
    assert _read(include=["message.output_text.logprobs"], stream=True).uncarried == ("include",)
    assert _read(top_logprobs=2, stream=True).uncarried == ("top_logprobs",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": [{"role": "stranger", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "n"}]}, "input[0].arguments"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        (
            {"input": [{"type": "reasoning", "encrypted_content": "aiservice.v1.bm9uc2Vuc2U"}]},
            "input[0].encrypted_content",
        ),
        ({"instructions": 1}, "instructions"),
        ({"background": True}, "background"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"stream": "yes"}, "stream"),
        # Names that are none, found by fuzzing.
        ({"input": [{"type": []}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": {}}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "assistant", "content": [{"type": []}]}]}, "input[0].content[0].type"),
        ({"tools": [{"type": []}]}, "tools[0].type"),
        ({"include": [[]]}, "include"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        DIALECT.read({"input": "hi", **fields})
    assert refused.value.param == param


_NAMES = st.sampled_from(
    ["type", "role", "content", "text", "id", "call_id", "name", "arguments", "output", "summary", "encrypted_content",
     "tools", "format", "parameters", "input", "image_url", "file_data", "file_id"]
)  # fmt: skip
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["message", "user", "x", "function", "input_text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        ["input", "instructions", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "user", "prompt",
         "parallel_tool_calls", "max_output_tokens", "temperature", "top_logprobs", "service_tier", "truncation"]
    ),
    _JSON,
)  # fmt: skip


@given(_FIELDS)
def test_whatever_comes_is_read_or_refused_by_name(body: dict[str, Any]) -> None:
    for dialect in (DIALECT, COUNT_DIALECT):
        try:
            ask = dialect.read(dict(body)).ask
        except InvalidRequest as refused:
            assert refused.param
        else:
            assert isinstance(ask.body["messages"], list)


def test_tools_of_a_namespace_are_functions_that_bear_its_name() -> None:
    inner = [{**TOOL, "description": "Of a city."}, {"type": "custom", "name": "run"}]
    namespace = {"type": "namespace", "name": "sky", "description": "What is above.", "tools": inner}
    ask = _read([{"role": "user", "content": "x"}, _call(namespace="sky")], tools=[namespace])
    assert ask.uncarried == ()
    functions = [tool["function"] for tool in ask.body["tools"]]
    assert [function["name"] for function in functions] == ["sky__weather", "sky__run"]
    assert functions[0]["description"] == "Of a city.\n\nWhat is above."
    assert ask.body["messages"][1]["tool_calls"][0]["function"]["name"] == "sky__weather"


def test_a_choice_of_a_kind_that_is_no_name_is_carried_by_nobody() -> None:
    """Found by fuzzing."""
    assert "tool_choice" in _read(tool_choice={"type": []}, tools=[{"type": "function", "name": "f"}]).uncarried
