"""Messages of a chat as Anthropic's turns: in their order, with nothing of them lost."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from tests.providers.anthropic_samples import (
    CALL,
    HI,
    PDF,
    THOUGHT,
    USE,
    any_json,
    built_body,
    refused,
    text,
    turns_of,
    user,
)


def test_first_instructions_are_the_system_prompt() -> None:
    body = built_body(messages=[{"role": "system", "content": "Be brief."}, HI])
    assert (body["system"], body["messages"]) == ("Be brief.", [user(text("hi"))])
    marked = {"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}
    body = built_body(messages=[{"role": "developer", "content": [marked]}, {"role": "system", "content": "B"}, HI])
    assert body["system"] == [marked, text("B")]


def test_later_instructions_keep_their_place_where_the_model_has_one_for_them() -> None:
    talk = [HI, {"role": "system", "content": "Now French."}, {"role": "user", "content": "again"}]
    assert turns_of(*talk) == [
        user(text("hi"), text("again")),
        {"role": "system", "content": [text("Now French.")]},
    ]
    older = built_body("claude-sonnet-4-5", messages=talk)
    assert (older["system"], [turn["role"] for turn in older["messages"]]) == ("Now French.", ["user"])


def test_instructions_behind_the_last_answer_are_refused() -> None:
    talk = [HI, {"role": "assistant", "content": "Hello"}, {"role": "system", "content": "Sum up."}]
    assert refused(messages=talk) == "messages[2]"
    assert refused("claude-sonnet-4-5", messages=talk) == "messages[2]"


def test_turns_of_one_role_become_one_and_empty_ones_none() -> None:
    turns = turns_of(HI, {"role": "user", "content": "you"}, {"role": "assistant", "content": ""}, HI)
    assert turns == [user(text("hi"), text("you"), text("hi"))]


def test_results_of_tools_come_first_in_the_turn_behind_their_calls() -> None:
    turns = turns_of(
        HI,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL, {**CALL, "id": "toolu_2"}]},
        {"role": "user", "content": "hurry"},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": [text("no such city")], "is_error": True},
    )
    assert turns[1]["content"] == [text("Let me see."), USE, {**USE, "id": "toolu_2"}]
    first = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
    second = {"type": "tool_result", "tool_use_id": "toolu_2", "content": [text("no such city")], "is_error": True}
    assert turns[2] == user(first, second, text("hurry"))


def test_ids_that_this_wire_does_not_allow_are_replaced_on_both_sides_alike() -> None:
    call = {**CALL, "id": "functions.weather:0"}
    turns = turns_of(
        HI,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.weather:0", "content": "rain"},
    )
    assert turns[1]["content"][0]["id"] == turns[2]["content"][0]["tool_use_id"]
    assert turns[1]["content"][0]["id"].startswith("toolu_")


@pytest.mark.parametrize("arguments", ["{", "[1]", '"x"', "7"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    call = {**CALL, "function": {"name": "f", "arguments": arguments}}
    talk = [HI, {"role": "assistant", "tool_calls": [call]}]
    assert refused(messages=talk) == "messages[1].tool_calls[0].function.arguments"


def test_no_arguments_are_an_empty_object() -> None:
    call = {**CALL, "function": {"name": "f", "arguments": ""}}
    assert turns_of(HI, {"role": "assistant", "tool_calls": [call]})[1]["content"][0]["input"] == {}


def test_images_and_documents_go_as_data_or_as_an_address() -> None:
    def block(part: dict[str, Any]) -> Any:
        return turns_of(user(part))[0]["content"][0]

    def image(url: str) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}

    def file(**fields: str) -> dict[str, Any]:
        return {"type": "file", "file": {"filename": "a.b", **fields}}

    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    assert block(image("data:image/png;base64,AAAA")) == {"type": "image", "source": source}
    assert block(image("https://e.org/a.png"))["source"] == {"type": "url", "url": "https://e.org/a.png"}
    assert block(file(file_data=PDF)) == {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        "title": "a.b",
    }
    csv = "data:text/csv;charset=utf-8;base64," + base64.b64encode("a,ü".encode()).decode()
    assert block(file(file_data=csv))["source"] == {"type": "text", "media_type": "text/plain", "data": "a,ü"}
    assert block(file(file_url="https://e.org/a.pdf"))["source"]["type"] == "url"
    assert block({**file(file_data=PDF), "cache_control": {"type": "ephemeral"}})["cache_control"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,****"}},
        {"type": "file"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"text": "no type"},
        "text",
        None,
    ],
)
def test_parts_without_a_word_here_are_refused_by_their_place(part: Any) -> None:
    assert refused(messages=[{"role": "user", "content": [part]}]).startswith("messages[0].content[0]")


def test_thinking_comes_back_signed_or_not_at_all() -> None:
    foreign = {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}
    redacted = {"type": "reasoning.encrypted", "data": "abc", "format": "anthropic-claude-v1"}
    unsigned = {"type": "reasoning.text", "text": "psst", "format": "anthropic-claude-v1"}
    said = {"role": "assistant", "content": "4", "reasoning_content": "hm", "tool_calls": [CALL]}
    turns = turns_of(HI, {**said, "reasoning_details": [THOUGHT, foreign, redacted, unsigned, "junk"]})
    assert turns[1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "abc"},
        text("4"),
        USE,
    ]


def test_names_in_messages_are_refused_and_other_roles_too() -> None:
    assert refused(messages=[{**HI, "name": "bob"}]) == "messages[0].name"
    assert refused(messages=[{"role": "function", "content": "x"}]) == "messages[0].role"
    assert refused(messages=["hi"]) == "messages[0]"


@pytest.mark.parametrize("calls", [5, True, "abc", {"a": 1}, [None], [{"function": {"name": 3}}]])
def test_calls_of_any_shape_are_refused_by_their_place(calls: Any) -> None:
    assert refused(messages=[{"role": "assistant", "tool_calls": calls}, HI]).startswith("messages[0].tool_calls")


@given(st.lists(any_json, max_size=4), st.sampled_from(["user", "assistant", "tool", "system"]))
def test_messages_of_any_shape_are_built_or_refused(contents: list[Any], role: str) -> None:
    messages = [{"role": role, "content": content, "tool_calls": content} for content in contents]
    try:
        built_body(messages=messages)
    except AttemptFailed as refused:
        assert refused.failure.code == "unsupported_parameter"


def test_what_was_refused_is_what_was_said_where_nothing_else_was() -> None:
    refused = {"role": "assistant", "content": None, "refusal": "I will not."}
    assert turns_of(HI, refused, HI)[1] == {"role": "assistant", "content": [text("I will not.")]}


def test_white_space_says_nothing_and_is_left_out() -> None:
    called = {"role": "assistant", "content": "\n\n", "tool_calls": [CALL]}
    told = {"role": "tool", "tool_call_id": "toolu_1", "content": [text(" ")]}
    assert turns_of(HI, called, told)[1:] == [
        {"role": "assistant", "content": [USE]},
        user({"type": "tool_result", "tool_use_id": "toolu_1"}),
    ]


def test_thoughts_between_texts_go_back_to_their_places() -> None:
    first, second, third = (
        {"type": "reasoning.text", "text": name, "signature": name, "format": "anthropic-claude-v1", **where}
        for name, where in (("a", {}), ("b", {"content_offset": 4}), ("c", {"content_offset": 8}))
    )
    said = {
        "role": "assistant",
        "content": "One.Two.",
        "tool_calls": [CALL],
        "reasoning_details": [first, second, third],
    }
    blocks = turns_of(HI, said)[1]["content"]
    assert [block.get("text") or block.get("thinking") or block["type"] for block in blocks] == [
        "a", "One.", "b", "Two.", "c", "tool_use",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [[], {}, 5])
def test_a_part_without_a_proper_type_is_refused_by_its_place(kind: Any) -> None:
    assert refused(messages=[user({"type": kind})]) == "messages[0].content[0]"


def test_instructions_alone_are_a_prompt_and_nothing_at_all_is_refused() -> None:
    body = built_body(messages=[{"role": "system", "content": "Say hello."}])
    assert (body["messages"], "system" in body) == ([user(text("Say hello."))], False)
    assert refused(messages=[{"role": "user", "content": ""}]) == "messages"
