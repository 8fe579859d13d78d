"""Amazon Bedrock's OpenAI-compatible APIs: `bedrock-mantle` (chat, Responses, models), and `/openai/v1` of the runtime.

The shapes are OpenAI's, and so are the rules of the models of its making; the key is AWS's, and signs for the service
that the address names.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from aiservice.kit.secret import Secret
from aiservice.providers import _openai_models
from aiservice.providers._base import Credential, StreamReader
from aiservice.providers._bedrock.address import mantle_address
from aiservice.providers._bedrock.credential import credential_of
from aiservice.providers._bedrock.errors import failure_of
from aiservice.providers._bedrock.keys import KEY_HINT, normal_key
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._openai_models import ModelRules, rules_for
from aiservice.providers.openai import OpenAi
from aiservice.wire import RESPONSES_WIRE, Answer, Ask, AttemptFailure, HttpCall, HttpReply, Json

_MAKER: Final = "openai."
_AWS_ERROR: Final = "x-amzn-errortype"


class BedrockMantle(OpenAi):
    """One region's OpenAI-compatible API."""

    kind = "bedrock-mantle"
    title = "Amazon Bedrock (OpenAI-compatible)"
    default_base_url = None
    needs_base_url = True
    counts_tokens = False
    is_strict = False
    media_paths = MappingProxyType[str, str]({})
    address_hint = "https://bedrock-mantle.us-east-1.api.aws/v1, or the region alone"
    key_hint = KEY_HINT

    def address(self, given: str) -> str:
        return mantle_address(given)

    def normal_key(self, key: bytes) -> bytes:
        return normal_key(key)

    def credential(self, key: Secret, base_url: str) -> Credential:
        return credential_of(key, base_url)

    def build(self, ask: Ask, model: str) -> HttpCall:
        if ask.kind == "chat" and ask.wire != RESPONSES_WIRE:
            ask = _with_distinct_calls(ask)
        if self.responses_path and not model.startswith(_MAKER):
            return _CHATTING.build(ask, model)
        return super().build(ask, model)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        if self.responses_path and call.path != self.responses_path:
            return _CHATTING.read(ask, call, reply)
        return super().read(ask, call, reply)

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        if self.responses_path and call.path != self.responses_path:
            return _CHATTING.reader(ask, call)
        return super().reader(ask, call)

    def rules(self, model: str) -> ModelRules:
        return rules_for(model.removeprefix(_MAKER))

    def capabilities(self, model: str) -> Capabilities:
        return _openai_models.capabilities(model.removeprefix(_MAKER))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        if reply.status == 403 or _AWS_ERROR in reply.headers:
            return failure_of(reply)
        return super().failure(reply)


def _with_distinct_calls(ask: Ask) -> Ask:
    """Some of its models number the calls of every answer from `call_0` (recorded): in a conversation of several, a
    result must not be taken for that of another call."""
    messages = ask.body.get("messages")
    if not isinstance(messages, list):
        return ask
    names: dict[str, str] = {}
    made = [_renamed(message, names) if isinstance(message, dict) else message for message in messages]
    if all(given == sent for given, sent in names.items()):
        return ask
    return replace(ask, body={**ask.body, "messages": made})


def _renamed(message: Json, names: dict[str, str]) -> Json:
    """The message with its calls under ids of their own; `names` holds what each id stands for from here on."""
    if message.get("role") == "tool" and isinstance(call_id := message.get("tool_call_id"), str):
        return {**message, "tool_call_id": names.get(call_id, call_id)}
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    made = []
    for call in calls:
        call_id = call.get("id") if isinstance(call, dict) else None
        if isinstance(call_id, str):
            names[call_id] = f"{names[call_id]}_again" if call_id in names else call_id
            made.append({**call, "id": names[call_id]})
        else:
            made.append(call)
    return {**message, "tool_calls": made}


class _Chatting(BedrockMantle):
    """The models of other makers: only OpenAI's have the Responses API there."""

    responses_path = ""


_CHATTING: Final = _Chatting()
PROVIDER = BedrockMantle()
