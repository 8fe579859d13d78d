"""`POST /v1/moderations` (platform.openai.com/docs/api-reference/moderations)."""

from aiservice.dialects._base import ClientRequest, Json, StreamWriter
from aiservice.dialects._media import MediaDialect
from aiservice.dialects._media_writers import MediaWriter
from aiservice.errors import InvalidRequest
from aiservice.tasks.moderation import moderated_input
from aiservice.wire import MODERATIONS_WIRE, Ask


class OpenAiModerations(MediaDialect):
    surface = "moderations"
    raw_wire = MODERATIONS_WIRE
    takes_forms = False

    def ask(self, body: Json, model: str | None) -> Ask:
        moderated_input(body.get("input"), "input")
        if body.pop("stream", False):
            raise InvalidRequest("A moderation cannot be streamed.", param="stream")
        return Ask("moderation", "moderation", body, requested_model=model, wire=MODERATIONS_WIRE)

    def writer(self, request: ClientRequest) -> StreamWriter:
        return MediaWriter()


DIALECT = OpenAiModerations()
