"""How a recording is asked of the gateway: over the same wire where we speak it, and over others, translated."""

from array import array
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.replay import forms, reading, wires
from tests.replay._expected import Expected
from tests.replay.places import connection_for, model_for
from tests.replay.references import reference_of
from tests.replay.traffic import Json, Recording


@dataclass(slots=True, frozen=True)
class Question:
    """One request to the gateway; `kind` is the content type of a body that is no JSON."""

    path: str
    body: Json | bytes
    kind: str = "application/json"
    query: bytes = b""


@dataclass(slots=True, frozen=True)
class Way:
    """One of our surfaces: the request for a recording, and how its answer is read. A gateway that has no `route`
    does not have it."""

    name: str
    route: str
    ask: Callable[[Recording], Question]
    read: Callable[[int, bytes], Expected]


CHAT_WIRES = frozenset(
    {
        wires.OPENAI_CHAT, wires.OPENAI_RESPONSES, wires.ANTHROPIC, wires.GEMINI, wires.GEMINI_INTERACTIONS,
        wires.COHERE_CHAT, wires.BEDROCK_CONVERSE, wires.BEDROCK_INVOKE, wires.OLLAMA_CHAT,
    }
)  # fmt: skip


_WITH_RESPONSES = frozenset({"azure", "bedrock-mantle", "openai", "openrouter", "xai"})


OF_BEDROCK = frozenset({"anthropic_beta", "anthropic_version"})
"""What a body of Anthropic's says there that its own address is told in headers."""


def ways_for(recording: Recording) -> tuple[Way, ...]:
    """All the ways a recording is asked."""
    wire = recording.wire
    if wire in CHAT_WIRES:
        if isinstance(recording.request, dict) and (recording.request.get("n") or 1) > 1:
            return (CHAT,)  # the others give one answer and never ask for more
        ways = (CHAT, UNIFIED, MESSAGES, RESPONSES, GENERATE)
        if recording.provider == "bedrock" and "claude" in recording.url:
            # There Claude is asked in its own words where the client uses them, and by Converse where it does not.
            return tuple(way for way in ways if (way is MESSAGES) == (wire == wires.BEDROCK_INVOKE))
        if wire == wires.OPENAI_RESPONSES and recording.provider == "openrouter":
            return (RESPONSES,)  # who speaks chat is sent to its chat completions
        if wire == wires.OPENAI_CHAT and recording.provider in _WITH_RESPONSES:
            return tuple(way for way in ways if way is not RESPONSES)  # there it is another address
        return ways
    return _OTHER_WAYS.get(wire, ())


def is_well_formed(request: Any) -> bool:
    """Whether a request was recorded that we would not refuse ourselves (one was recorded for its error alone)."""
    given = request.get("messages", []) if isinstance(request, dict) else [None]
    return all(isinstance(message, dict) for message in given)


def expected_of(recording: Recording, way: Way, expected: Expected) -> Expected | None:
    """What a recording is in the words of `way`; None where they have none for it."""
    if way is UNIFIED_EMBEDDING and recording.provider == "perplexity" and expected.vectors:
        # Perplexity's vectors are bytes; here they are numbers.
        return replace(expected, vectors=[list(array("b", b64decode(vector))) for vector in expected.vectors])
    if way in (GENERATE, RESPONSES) and expected.tool_calls and expected.finish_reason == "stop":
        return replace(expected, finish_reason="tool_calls")  # one word for both, where a call was made
    if way not in (MESSAGES, GENERATE):
        return expected
    if any(not isinstance(arguments, dict) for _, arguments in expected.tool_calls):
        return None  # of a custom tool, which no client of this wire can have asked for
    if expected.refusal:
        return replace(expected, text=expected.text + expected.refusal, refusal="", finish_reason="content_filter")
    return expected


def is_made_up(recording: Recording) -> bool:
    """Whether an answer was written by hand: to a request for a schema, of a model that has none."""
    return recording.headers.get("x-amzn-requestid", "").startswith("test-request-id")


def _pinned(recording: Recording, body: Json) -> Json:
    body = {**body, "model": f"{connection_for(recording)}/{model_for(recording)}"}
    return {**body, "stream": True} if recording.is_stream else body


def _said(recording: Recording) -> Json:
    """The recorded request in OpenAI's words, pinned."""
    reference = reference_of(recording.wire)
    assert reference is not None
    return _pinned(recording, reference.chat_request(recording.request))


def _chat(recording: Recording) -> Question:
    body = _said(recording)
    body.setdefault("messages", [{"role": "user", "content": "Hello"}])
    if is_made_up(recording):
        body.pop("response_format", None)
    if recording.is_stream and recording.wire != wires.OPENAI_CHAT:
        body["stream_options"] = {"include_usage": True}
    return Question("/v1/chat/completions", body)


def _unified(recording: Recording) -> Question:
    return Question("/ai-service", _pinned(recording, {"task": "chat", "input": "Hello"}))


def _messages(recording: Recording) -> Question:
    body: Json = {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]}
    if recording.wire == wires.ANTHROPIC and is_well_formed(recording.request):
        body = recording.request
    if recording.wire == wires.BEDROCK_INVOKE and {"anthropic_version", "messages"} <= set(recording.request or ()):
        body = {name: value for name, value in recording.request.items() if name not in OF_BEDROCK}
    return Question("/v1/messages", _pinned(recording, body))


def _responses(recording: Recording) -> Question:
    is_native = recording.wire == wires.OPENAI_RESPONSES and isinstance(recording.request, dict)
    body = _pinned(recording, recording.request if is_native else {"input": "Hello"})
    if is_native and isinstance(recording.request.get("model"), str):
        body["model"] = f"{connection_for(recording)}/{recording.request['model']}"
    return Question("/v1/responses", body)


def _generate(recording: Recording) -> Question:
    is_native = recording.wire == wires.GEMINI and isinstance(recording.request, dict)
    body = recording.request if is_native else {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    method = "streamGenerateContent" if recording.is_stream else "generateContent"
    return _google(recording, method, body, b"alt=sse" if recording.is_stream else b"")


def _google(recording: Recording, method: str, body: Json, query: bytes = b"") -> Question:
    path = f"/v1beta/models/{connection_for(recording)}/{model_for(recording)}:{method}"
    return Question(path, body, query=query)


def _embeddings(recording: Recording) -> Question:
    return Question("/v1/embeddings", _said(recording))


def _unified_embedding(recording: Recording) -> Question:
    texts = _said(recording)["input"]
    body = {"task": "embedding", "input": [texts] if isinstance(texts, str) else texts}
    return Question("/ai-service", _pinned(recording, body))


def _as_recorded(path: str) -> Callable[[Recording], Question]:
    return lambda recording: Question(path, _said(recording))


def _speech(recording: Recording) -> Question:
    said = _said(recording)
    spoken = said.get("input") or said.get("text") or "Hello"
    kept: Json = {name: said[name] for name in ("model", "voice", "response_format", "stream") if name in said}
    if "container=wav" in recording.url:  # Deepgram's, which says it in its address
        kept["response_format"] = "wav"
    if "contents" in said:
        spoken = said["contents"][0]["parts"][0]["text"]
        kept["voice"] = said["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"]
    return Question("/v1/audio/speech", {**kept, "input": spoken})


def _images(recording: Recording) -> Question:
    said = _said(recording)
    given = said.pop("input_references", None) or said.get("images")
    if not given:
        return Question("/v1/images/generations", {"prompt": "a cat", **said})
    urls = [one["image_url"]["url"] if isinstance(one["image_url"], dict) else one["image_url"] for one in given]
    return Question("/v1/images/edits", {**said, "images": [{"image_url": url} for url in urls]})


def _transcription(recording: Recording) -> Question:
    kept = [field for field in forms.read(recording.raw_request) if field.name != "model"]
    if not any(field.name == "file" for field in kept):
        kept = [forms.Field("file", b"RIFF$\0\0\0WAVEfmt " + bytes(28), "sound.wav", "audio/wav")]
    named = _pinned(recording, {})["model"]
    body, kind = forms.written([forms.Field("model", named.encode()), *kept])
    is_translation = recording.url.endswith("/translations")
    return Question(f"/v1/audio/{'translations' if is_translation else 'transcriptions'}", body, kind)


def _count(recording: Recording) -> Question:
    body: Json = {"messages": [{"role": "user", "content": "Hello"}]}
    if recording.wire == wires.ANTHROPIC_COUNT:
        body = recording.request
    return Question("/v1/messages/count_tokens", _pinned(recording, body))


def _google_count(recording: Recording) -> Question:
    body = recording.request or {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    return _google(recording, "countTokens", body)


CHAT = Way("chat completions", "/v1/chat/completions", _chat, reading.chat)
UNIFIED = Way("ai-service", "/ai-service", _unified, reading.unified)
MESSAGES = Way("messages", "/v1/messages", _messages, reading.messages)
RESPONSES = Way("responses", "/v1/responses", _responses, reading.responses)
GENERATE = Way("generateContent", "/v1beta/models/m:generateContent", _generate, reading.generate)
EMBEDDINGS = Way("embeddings", "/v1/embeddings", _embeddings, reading.chat)
UNIFIED_EMBEDDING = Way("ai-service", "/ai-service", _unified_embedding, reading.unified)
COMPLETIONS = Way(
    "completions", "/v1/completions", _as_recorded("/v1/completions"), reading.native_of(wires.OPENAI_COMPLETIONS)
)
RERANK = Way("rerank", "/v1/rerank", _as_recorded("/v1/rerank"), reading.native_of(wires.RERANK))
MODERATIONS = Way(
    "moderations", "/v1/moderations", _as_recorded("/v1/moderations"), reading.native_of(wires.OPENAI_MODERATIONS)
)
IMAGES = Way("images", "/v1/images/generations", _images, reading.native_of(wires.OPENAI_IMAGES))
SPEECH = Way("speech", "/v1/audio/speech", _speech, reading.native_of(wires.OPENAI_SPEECH))
TRANSCRIPTION = Way(
    "transcription", "/v1/audio/transcriptions", _transcription, reading.native_of(wires.OPENAI_TRANSCRIPTION)
)
COUNT = Way("count_tokens", "/v1/messages/count_tokens", _count, reading.count)
GOOGLE_COUNT = Way("countTokens", "/v1beta/models/m:countTokens", _google_count, reading.google_count)
COUNTS = (COUNT, GOOGLE_COUNT)
_VECTORS, _HEARD, _SPOKEN = (EMBEDDINGS, UNIFIED_EMBEDDING), (TRANSCRIPTION,), (SPEECH,)
_OTHER_WAYS: dict[str, tuple[Way, ...]] = {
    wires.OPENAI_EMBEDDINGS: _VECTORS,
    wires.GEMINI_EMBEDDINGS: _VECTORS,
    wires.VERTEX_PREDICT: _VECTORS,
    wires.COHERE_EMBED: _VECTORS,
    wires.OPENAI_COMPLETIONS: (COMPLETIONS,),
    wires.OLLAMA_GENERATE: (COMPLETIONS,),
    wires.RERANK: (RERANK,),
    wires.OPENAI_MODERATIONS: (MODERATIONS,),
    wires.OPENAI_IMAGES: (IMAGES,),
    wires.OPENAI_SPEECH: _SPOKEN,
    wires.DEEPGRAM_SPEAK: _SPOKEN,
    wires.XAI_TTS: _SPOKEN,
    wires.GEMINI_SPEECH: _SPOKEN,
    wires.OPENAI_TRANSCRIPTION: _HEARD,
    wires.DEEPGRAM_LISTEN: _HEARD,
    wires.XAI_STT: _HEARD,
    wires.ELEVENLABS_STT: _HEARD,
    wires.ANTHROPIC_COUNT: (COUNT,),
    wires.OPENAI_COUNT: (COUNT,),
    wires.BEDROCK_COUNT: (COUNT,),
    wires.GEMINI_COUNT: COUNTS,
}
