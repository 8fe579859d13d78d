"""`POST /v1/audio/speech`, `/transcriptions` and `/translations` (platform.openai.com/docs/api-reference/audio)."""

from typing import ClassVar

from aiservice.dialects._base import ClientRequest, Json, Outcome, StreamWriter
from aiservice.dialects._media import MediaDialect, flag, text_field
from aiservice.dialects._media_writers import SoundWriter, SpeechWriter, TranscriptWriter
from aiservice.dialects._transcripts import rendered
from aiservice.errors import InvalidRequest
from aiservice.tasks._files import file_of
from aiservice.tasks.speech_to_text import FORMATS
from aiservice.tasks.text_to_speech import MOST_CHARACTERS
from aiservice.wire import SPEECH_WIRE, TRANSCRIPTION_WIRE, Answer, Ask


class OpenAiSpeech(MediaDialect):
    surface = "speech"
    gives_media = True
    takes_forms = False

    def ask(self, body: Json, model: str | None) -> Ask:
        text_field(body, "input", MOST_CHARACTERS)
        if "voice" in body and not isinstance(body["voice"], (str, dict)):
            raise InvalidRequest("'voice' must be the name of a voice.", param="voice")
        if flag(body, "stream"):
            raise InvalidRequest("Speech is streamed by 'stream_format': \"sse\".", param="stream")
        body.pop("stream", None)
        if body.get("stream_format") not in (None, "audio", "sse"):
            raise InvalidRequest("'stream_format' must be 'audio' or 'sse'.", param="stream_format")
        # It goes to the client as it comes, in events or not.
        return Ask("text-to-speech", "speech", body, True, requested_model=model, wire=SPEECH_WIRE)

    def wants_stream(self, body: Json) -> bool:
        return body.get("stream_format") == "sse"

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        return answer.media or b""

    def writer(self, request: ClientRequest) -> StreamWriter:
        """Sound; events for who asked for those, and for who resumes: sound cannot be."""
        is_sound = request.ask.kind == "speech" and request.ask.body.get("stream_format") != "sse"
        return SoundWriter() if is_sound else SpeechWriter()


class OpenAiTranscriptions(MediaDialect):
    surface = "transcriptions"
    raw_wire = TRANSCRIPTION_WIRE
    gives_media = True
    translates: ClassVar[bool] = False

    def ask(self, body: Json, model: str | None) -> Ask:
        body["file"] = file_of(body.get("file"), "file", "audio")
        wanted = body.get("response_format", "json")
        if wanted not in FORMATS:
            raise InvalidRequest(f"'response_format' must be one of {', '.join(FORMATS)}.", param="response_format")
        if isinstance(body.get("temperature"), str):
            try:
                body["temperature"] = float(body["temperature"])
            except ValueError:
                raise InvalidRequest("'temperature' must be a number.", param="temperature") from None
        is_stream = flag(body, "stream")
        body.pop("stream", None)
        if self.translates:
            body["translate"] = True
        return Ask("speech-to-text", "transcription", body, is_stream, requested_model=model, wire=TRANSCRIPTION_WIRE)

    def writer(self, request: ClientRequest) -> StreamWriter:
        return TranscriptWriter()

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        if answer.media is not None:
            return answer.media
        wanted = outcome.ask.body.get("response_format", "json") if outcome.ask is not None else "json"
        content, answer.media_type = rendered(answer.body, wanted)
        return content


class OpenAiTranslations(OpenAiTranscriptions):
    surface = "translations"
    translates = True


SPEECH_DIALECT = OpenAiSpeech()
DIALECT = OpenAiTranscriptions()
TRANSLATIONS_DIALECT = OpenAiTranslations()
