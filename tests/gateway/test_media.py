"""Work that is no chat through the gateway: its surfaces, the same as tasks, and what it costs."""

import base64
from typing import Any

import pytest

from aiservice.dialects import openai_audio
from aiservice.dialects._base import ClientRequest, Outcome
from aiservice.errors import InternalFault
from aiservice.kit.multipart import write_form
from aiservice.providers._sound import wav
from aiservice.wire import Ask
from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway

_WAV = wav(bytes(16_000), 8_000)
_FILE = {"filename": "said.wav", "content_type": "audio/wav", "data": _WAV}


async def _sent(gateway: Gateway, path: str, *fields: tuple[str, Any], **more: Any) -> Reply:
    body, kind = write_form(fields)
    return await gateway.post(path, body, headers={"content-type": kind, **more.pop("headers", {})}, **more)


async def test_texts_are_moderated(sandboxed: Gateway) -> None:
    reply = await sandboxed.post("/v1/moderations", {"input": ["hello", "i will kill you"]})
    assert [one["flagged"] for one in reply.json()["results"]] == [False, True]
    assert reply.headers["x-aiservice-model"] == "sandbox-moderation"


async def test_images_are_made_and_changed(sandboxed: Gateway) -> None:
    made = await sandboxed.post("/v1/images/generations", {"prompt": "a cat", "n": 2})
    picture = base64.b64decode(made.json()["data"][0]["b64_json"])
    assert (len(made.json()["data"]), picture[:8]) == (2, b"\x89PNG\r\n\x1a\n")
    file = {"filename": "a.png", "content_type": "image/png", "data": picture}
    changed = await _sent(sandboxed, "/v1/images/edits", ("prompt", "pink"), ("image", file), ("n", "1"))
    assert changed.json()["data"][0]["b64_json"] != made.json()["data"][0]["b64_json"]


async def test_speech_is_sound_of_its_own_type(sandboxed: Gateway) -> None:
    reply = await sandboxed.post("/v1/audio/speech", {"input": "hello", "voice": "alloy"})
    assert (reply.headers["content-type"], reply.body[:4]) == ("audio/wav", b"RIFF")
    assert (reply.is_complete, "content-length" in reply.headers) == (True, False)  # it came as it was made
    row = (await sandboxed.rows())[0]
    assert (row.outcome, row.units, row.unit) == ("finished", 5, "character")


async def test_speech_and_transcripts_are_streamed_as_events(sandboxed: Gateway) -> None:
    spoken = await sandboxed.post("/v1/audio/speech", {"input": "hi", "voice": "alloy", "stream_format": "sse"})
    assert spoken.headers["content-type"].startswith("text/event-stream")
    assert spoken.body.startswith(b'data: {"type":"speech.audio.delta"')
    assert spoken.body.endswith(b'data: {"type":"speech.audio.done"}\n\n')
    heard = await _sent(sandboxed, "/v1/audio/transcriptions", ("file", _FILE), ("stream", "true"))
    assert b"transcript.text.done" in heard.body
    assert [row.outcome for row in await sandboxed.rows()] == ["finished", "finished"]


@pytest.mark.parametrize(
    ("wanted", "begin", "kind"),
    [("json", b'{"text":"[sandbox]', "application/json"), ("text", b"[sandbox]", "text/plain; charset=utf-8"),
     ("vtt", b"WEBVTT\n", "text/plain; charset=utf-8")],
)  # fmt: skip
async def test_a_transcript_has_the_form_that_was_asked_for(
    sandboxed: Gateway, wanted: str, begin: bytes, kind: str
) -> None:
    reply = await _sent(sandboxed, "/v1/audio/transcriptions", ("file", _FILE), ("response_format", wanted))
    assert (reply.status, reply.headers["content-type"]) == (200, kind)
    assert reply.body.startswith(begin)


async def test_a_form_that_is_none_is_refused(sandboxed: Gateway) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    cut = await sandboxed.post(
        "/v1/audio/transcriptions", b'--x\r\ncontent-disposition: form-data; name="file"', headers=headers
    )
    assert (cut.status, cut.code) == (400, "invalid_form")
    empty = await _sent(sandboxed, "/v1/audio/transcriptions", ("model", "sandbox-transcribe"))
    assert (empty.status, empty.json()["error"]["param"]) == (400, "file")


async def test_the_same_form_with_another_boundary_is_the_same_request(sandboxed: Gateway) -> None:
    body, kind = write_form([("file", _FILE)])
    other = body.replace(kind.rpartition("=")[2].encode(), b"another")
    replies = []
    for raw, boundary in ((body, kind), (other, "multipart/form-data; boundary=another")):
        headers = {"content-type": boundary, "idempotency-key": "once"}
        replies.append(await sandboxed.post("/v1/audio/transcriptions", raw, headers=headers))
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].body == replies[1].body
    assert len(await sandboxed.rows()) == 1


async def test_the_tasks_are_served_and_told_from_their_bodies(sandboxed: Gateway) -> None:
    sound = f"data:audio/wav;base64,{base64.b64encode(_WAV).decode()}"
    bodies = [
        {"input": {"text": "i will kill you"}, "task": "moderation"},
        {"input": {"prompt": "a cat", "size": "64x64"}},
        {"input": {"audio": sound}},
        {"input": {"text": "hello", "voice": "alloy"}},
    ]
    said = [(await sandboxed.post("/ai-service", body)).json() for body in bodies]
    assert [each["task"] for each in said] == ["moderation", "image-generation", "speech-to-text", "text-to-speech"]
    moderated, drawn, heard, spoken = [each["output"] for each in said]
    assert moderated["results"] == [{"flagged": True, "categories": {"violence": True}, "scores": {"violence": 1.0}}]
    assert base64.b64decode(drawn["images"][0]["b64_json"])[1:4] == b"PNG"
    assert heard["text"].startswith("[sandbox]")
    assert (spoken["media_type"], base64.b64decode(spoken["audio"])[:4]) == ("audio/wav", b"RIFF")


async def test_a_key_without_the_scope_makes_no_images(sandboxed: Gateway) -> None:
    key = await sandboxed.new_key(scopes=["chat"])
    reply = await sandboxed.post("/v1/images/generations", {"prompt": "a cat"}, key=key)
    assert (reply.status, reply.code) == (403, "out_of_scope")


async def test_chat_is_never_sent_to_a_model_for_other_work(sandboxed: Gateway) -> None:
    reply = await sandboxed.chat("hello")
    assert reply.headers["x-aiservice-model"] == "sandbox"


async def test_sound_and_pictures_have_nothing_to_do_with_the_cache_and_moderations_do(sandboxed: Gateway) -> None:
    headers = {"x-aiservice-cache-ttl": "300"}
    speech, picture = {"input": "hello", "voice": "alloy"}, {"prompt": "a cat"}
    for path, body in (("/v1/audio/speech", speech), ("/v1/images/generations", picture)):
        replies = [await sandboxed.post(path, body, headers=headers) for _ in range(2)]
        assert [reply.headers["x-aiservice-cache"] for reply in replies] == ["bypass", "bypass"]
        assert min(len(reply.body) for reply in replies) > 100
    heard = [await _sent(sandboxed, "/v1/audio/transcriptions", ("file", _FILE), headers=headers) for _ in range(2)]
    assert [reply.headers["x-aiservice-cache"] for reply in heard] == ["bypass", "bypass"]
    texts = {"input": ["hello"]}
    judged = [await sandboxed.post("/v1/moderations", texts, headers=headers) for _ in range(2)]
    assert [reply.headers["x-aiservice-cache"] for reply in judged] == ["miss", "hit"]
    assert judged[1].json()["results"] == judged[0].json()["results"]


async def test_what_work_is_counted_in_stands_in_the_ledger(sandboxed: Gateway) -> None:
    await sandboxed.post("/v1/images/generations", {"prompt": "a cat", "n": 2})
    await sandboxed.post("/v1/audio/speech", {"input": "hello", "voice": "alloy"})
    await _sent(sandboxed, "/v1/audio/transcriptions", ("file", _FILE))
    told = (await sandboxed.post("/ai-service", {"task": "image-generation", "input": "a dog"})).json()["usage"]
    assert (told["units"], told["unit"]) == (1, "image")
    await sandboxed.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]})
    counted = [(row.units, row.unit) for row in reversed(await sandboxed.rows())]
    assert counted == [(2, "image"), (5, "character"), (1, "second"), (1, "image"), (None, None)]


async def test_images_are_streamed_with_drafts_and_streams_of_events_can_be_resumed(sandboxed: Gateway) -> None:
    drawn = {"prompt": "a cat", "stream": True, "partial_images": 2}
    spoken = {"input": "hello", "voice": "alloy", "stream_format": "sse"}
    for path, body, events in (("/v1/images/generations", drawn, 3), ("/v1/audio/speech", spoken, 2)):
        reply = await sandboxed.post(path, body, headers={"x-aiservice-resumable": "true"})
        assert reply.body.count(b"\n\n") >= events
        rest = await sandboxed.get(reply.headers["x-aiservice-events"], query=b"after=1")
        assert (rest.status, reply.body.endswith(rest.body), rest.body.count(b"data: ")) == (200, True, events - 1)
    assert [(row.outcome, row.unit) for row in await sandboxed.rows()] == [
        ("finished", "character"),
        ("finished", "image"),
    ]


def test_a_stream_of_sound_that_was_lost_says_so_to_who_resumes_it() -> None:
    resumed = openai_audio.SPEECH_DIALECT.writer(ClientRequest(Ask("chat", "chat", {}, is_stream=True)))
    assert b"internal_error" in resumed.failed(InternalFault(), Outcome("req_1", 0, "", "", ""))
    assert resumed.keep_alive()
