"""xAI: OpenAI's wire, with speech and transcripts in words of its own (docs.x.ai/docs/guides/voice; what its row says
is in `_vendors/rows`). Neither names a model; speech says `text` and `voice_id`, a transcript has words and times."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.multipart import write_form
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._failures import invalid_answer
from aiservice.providers._openai_media import transcript_usage
from aiservice.providers._openai_media_stream import ReadUsage
from aiservice.providers._vendors import built_in
from aiservice.providers._vendors.shape import VendorShape
from aiservice.wire import Answer, Ask, HttpCall, HttpReply, Json

_SPOKEN = frozenset({"input", "language", "response_format", "stream_format", "voice"})
_HEARD = frozenset({"file", "language", "response_format", "timestamp_granularities"})
_CODECS = frozenset({"mp3", "pcm", "wav"})


class XAi(VendorShape):
    def media_call(self, ask: Ask, model: str) -> HttpCall:
        if ask.kind == "speech":
            return self._speech(ask)
        if ask.kind == "transcription":
            return self._transcript(ask)
        return super().media_call(ask, model)

    def _speech(self, ask: Ask) -> HttpCall:
        body = ask.body
        self._only(body, _SPOKEN)
        asked: Json = {"text": body["input"], "language": body.get("language", "auto")}
        if isinstance(body.get("voice"), str):
            asked["voice_id"] = body["voice"]
        if (wanted := body.get("response_format")) is not None:
            if wanted not in _CODECS:
                raise cannot_carry("response_format", f"{self.title} gives speech as mp3, wav or pcm.")
            asked["output_format"] = {"codec": wanted}
        return HttpCall(self.media_paths["speech"], orjson.dumps(asked))

    def _transcript(self, ask: Ask) -> HttpCall:
        body = ask.body
        self._only(body, _HEARD)
        fields: list[tuple[str, Any]] = [("language", body["language"])] if body.get("language") else []
        content, kind = write_form([*fields, ("file", body["file"])])
        return HttpCall(self.media_paths["transcriptions"], content, headers=(("content-type", kind),))

    def _only(self, body: Json, known: frozenset[str]) -> None:
        for name in sorted(body.keys() - known):
            raise cannot_carry(name, f"'{name}' cannot be carried to {self.title}: leave it out, or pin another one.")

    def media_answer(self, ask: Ask, call: HttpCall, reply: HttpReply, read_usage: ReadUsage) -> Answer:
        if ask.kind != "transcription":
            return super().media_answer(ask, call, reply, read_usage)
        try:
            said: Any = loads(reply.body)
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("text"), str):
            raise AttemptFailed(invalid_answer("its answer had no transcript"))
        body: Json = {name: said[name] for name in ("text", "language", "duration") if said.get(name) is not None}
        if isinstance(said.get("words"), list):
            words = [word for word in said["words"] if isinstance(word, dict)]
            body["words"] = [
                {"word": each.get("text"), "start": each.get("start"), "end": each.get("end")} for each in words
            ]
        return Answer(body, "", "stop", transcript_usage(ask, said, None))


def _word(said: Json) -> Json:
    return {"word": said.get("text"), "start": said.get("start"), "end": said.get("end")}


PROVIDER = XAi(built_in()["xai"])
