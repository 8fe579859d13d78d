"""A conversation in Google's words: who said what, calls and their results, signatures, files."""

import pytest

from aiservice.wire import Blame
from tests.providers.gemini_samples import (
    NEW,
    OLD,
    PNG,
    assistant,
    built,
    call,
    contents,
    refused,
    result,
    signed,
    user,
)

_UNSIGNED = "skip_thought_signature_validator"


def test_instructions_stand_apart_and_one_speaker_has_one_turn() -> None:
    body = built(
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "In verse."}]},
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": "there"},
        {"role": "assistant", "content": "Hello."},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Again"},
    )
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "In verse."}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}, {"text": "there"}]},
        {"role": "model", "parts": [{"text": "Hello."}]},
        {"role": "user", "parts": [{"text": "Again"}]},
    ]


def test_instructions_alone_are_the_prompt() -> None:
    assert built({"role": "system", "content": "Say hi."}) == {
        "contents": [{"role": "user", "parts": [{"text": "Say hi."}]}]
    }


def test_results_go_back_in_one_turn_by_name_and_id() -> None:
    said = contents(
        {"role": "user", "content": "Look twice"},
        assistant(call("a", "look", '{"at":1}', **signed("s1")), call("b", "feel", "")),
        result("b", "soft"),
        result("a", '{"seen": [1, 2]}'),
        {"role": "user", "content": "And?"},
    )
    assert said[1]["parts"] == [
        {"functionCall": {"name": "look", "args": {"at": 1}, "id": "a"}, "thoughtSignature": "s1"},
        {"functionCall": {"name": "feel", "args": {}, "id": "b"}},
    ]
    assert said[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "feel", "response": {"output": "soft"}, "id": "b"}},
            {"functionResponse": {"name": "look", "response": {"seen": [1, 2]}, "id": "a"}},
        ],
    }
    assert said[3] == {"role": "user", "parts": [{"text": "And?"}]}


def test_a_result_that_failed_is_told_as_an_error() -> None:
    said = contents(assistant(call("a")), result("a", '{"x": 1}', is_error=True))
    assert said[1]["parts"][0]["functionResponse"]["response"] == {"error": '{"x": 1}'}


def test_a_result_may_name_its_function_itself() -> None:
    said = contents({"role": "function", "name": "look", "content": "[1]"})
    assert said[0]["parts"] == [{"functionResponse": {"name": "look", "response": {"output": "[1]"}}}]
    assert refused(NEW, result("nobody", "x")) == ("messages[0].tool_call_id", Blame.CALLER)


def test_files_in_results_go_where_the_model_sees_them() -> None:
    image = {"type": "image_url", "image_url": {"url": PNG}}
    talk = [
        assistant(call("a"), call("b")),
        result("a", [{"type": "text", "text": "Here"}, image]),
        result("b", "none"),
        {"role": "user", "content": "So?"},
    ]
    inline = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    new, old = contents(*talk), contents(*talk, model=OLD)
    assert new[1]["parts"][0]["functionResponse"]["parts"] == [inline]
    assert [len(turn["parts"]) for turn in new] == [2, 2, 1]
    assert "parts" not in old[1]["parts"][0]["functionResponse"]
    assert old[2]["parts"][1:] == [inline, {"text": "So?"}]


def test_signatures_come_back_where_they_came_from() -> None:
    text = contents({"role": "assistant", "content": "Hi", **signed("s")})
    assert text[0]["parts"] == [{"text": "Hi", "thoughtSignature": "s"}]
    bare = contents({"role": "assistant", "content": "", **signed("s")})
    assert bare[0]["parts"] == [{"text": "", "thoughtSignature": "s"}]
    of_the_call = contents(assistant(call("a"), call("b"), **signed("s")))
    assert [part.get("thoughtSignature") for part in of_the_call[0]["parts"]] == ["s", None]


def test_signatures_come_back_from_reasoning_details_too() -> None:
    mine = {"type": "reasoning.encrypted", "data": "s2", "id": "b", "format": "google-gemini-v1"}
    lost = {"type": "reasoning.encrypted", "data": "s1", "format": "google-gemini-v1"}
    thought = {"type": "reasoning.text", "text": "Hm", "signature": "s0", "format": "google-gemini-v1"}
    said = contents(assistant(call("a"), call("b"), reasoning_details=[thought, mine, lost]))
    assert said[0]["parts"][0] == {"text": "Hm", "thought": True, "thoughtSignature": "s0"}
    assert [part["thoughtSignature"] for part in said[0]["parts"][1:]] == ["s1", "s2"]


def test_state_of_other_vendors_and_unsigned_thoughts_stay_behind() -> None:
    details = [
        {"type": "reasoning.text", "text": "Claude thought", "signature": "c", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "o", "format": "openai-responses-v1"},
        {"type": "reasoning.text", "text": "Mine, unsigned", "format": "google-gemini-v1"},
        {"type": "reasoning.encrypted", "data": "whose"},
    ]
    talk = assistant(call("a"), reasoning_content="Claude thought", reasoning_details=details)
    assert contents(talk, model=OLD)[0]["parts"] == [{"functionCall": {"name": "look", "args": {}, "id": "a"}}]
    assert contents(talk)[0]["parts"][0]["thoughtSignature"] == _UNSIGNED


def test_images_documents_sound_and_films_are_parts() -> None:
    parts = contents(
        user(
            {"type": "text", "text": "See"},
            {"type": "text", "text": ""},
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            {"type": "image_url", "image_url": "https://example.com/a/cat.JPG?size=1"},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            {"type": "file", "file": {"file_url": "https://example.com/report"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}},
            {"type": "video_url", "video_url": {"url": "https://example.com/v.mp4"}},
        )
    )[0]["parts"]
    assert parts == [
        {"text": "See"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"fileData": {"fileUri": "https://example.com/a/cat.JPG?size=1", "mimeType": "image/jpeg"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        {"fileData": {"fileUri": "https://example.com/report"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "UklGRg=="}},
        {"fileData": {"fileUri": "https://example.com/v.mp4", "mimeType": "video/mp4"}},
    ]


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/a.png",
        "gs://bucket/a.png",
        "file:///etc/passwd",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://GENERATIVELANGUAGE.googleapis.com.:443/v1beta/files/abc",
        "https://u@generativelanguage.googleapis.com/v1beta/files/abc",
        "https://",
    ],
)
def test_files_of_our_account_and_odd_addresses_are_not_passed_on(address: str) -> None:
    where, blame = refused(NEW, user({"type": "image_url", "image_url": {"url": address}}))
    assert (where, blame) == ("messages[0].content[0].image_url", Blame.FAILOVER)


def test_a_model_that_fetches_nothing_is_not_given_addresses() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert refused("gemini-2.0-flash", user(part)) == ("messages[0].content[0].image_url", Blame.FAILOVER)
