"""Azure OpenAI and Azure's Foundry: OpenAI's wire at an address of one's own (learn.microsoft.com/azure/ai-services).

A model is the name of a deployment. What is Azure's own: three forms of address, the key's header, and what its content
filter says in errors (`innererror`), in chunks without choices, and in choices without a message.
"""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers._azure_address import Form, Place, place_of, stored_address
from aiservice.providers._base import Provider, StreamReader
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_models import ModelRules
from aiservice.providers.openai import OpenAi
from aiservice.wire import Answer, Ask, AttemptFailure, Blame, HttpCall, HttpReply, Json

_HAS_STREAM_OPTIONS: Final = "2024-09-01"  # older versions answer 400; usage is counted by us there
_NEWEST: Final = Place("", "v1", "")
# Azure's codes that another place may not share: the deployment cannot do this kind of work, or is not there yet.
_NOT_HERE: Final = frozenset({"deploymentnotfound", "operationnotsupported", "unknownmodel", "unavailable_model"})
_COMPLETING: Final = re.compile(r"gpt-3\.?5-turbo(?:-instruct)?$|davinci|babbage|text-", re.IGNORECASE)
_HAS_RESPONSES: Final = "2025-03-01"
_FRONT: Final = re.compile(r"/openai/deployments/[^/]*|/openai|/models")
_FILTERED: Final = frozenset({"content_filter", "responsibleaipolicyviolation"})


class AzureOpenAi(OpenAi):
    """One resource of Azure's. Which form of the API it speaks is told by the connection's address (`at`)."""

    kind = "azure-openai"
    title = "Azure OpenAI"
    default_base_url = None
    needs_base_url = True
    counts_tokens = False
    address_hint = "https://NAME.openai.azure.com, with ?api-version=2024-10-21 for deployments in the path"
    key_hint = "one of the two keys of the resource"

    def __init__(self, place: Place = _NEWEST) -> None:
        self._form: Form = place.form
        self._version = place.version
        has_responses = place.form == "v1" or (place.form == "deployments" and place.version >= _HAS_RESPONSES)
        self.responses_path = OpenAi.responses_path if has_responses else ""
        self.has_stream_options = self._form != "deployments" or self._version >= _HAS_STREAM_OPTIONS

    def at(self, base_url: str) -> Provider:
        return _at(place_of(base_url))

    def address(self, given: str) -> str:
        return stored_address(given)

    def root(self, base_url: str) -> str:
        return place_of(base_url).root

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("api-key", key.reveal_text()),)

    def rules(self, model: str) -> ModelRules:
        """Where there is no Responses API, chat is all there is to try."""
        rules = super().rules(model)
        return rules if self.responses_path else replace(rules, has_chat=True, has_chat_tools=True)

    def build(self, ask: Ask, model: str) -> HttpCall:
        call = super().build(ask, model)
        if self._form != "v1":
            call.path = self._placed(call.path, model)
        return call

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        return super().read(ask, self._plain(call), reply)

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        return super().reader(ask, self._plain(call))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        return azure_failure(reply)

    def probe(self) -> HttpCall:
        call = super().probe()
        call.path = self._placed(call.path, "")
        return call

    def _placed(self, path: str, model: str) -> str:
        """A path of OpenAI's in this form of the API."""
        if self._form == "v1":
            return path
        query = f"?api-version={self._version}"
        if self._form == "foundry":
            return f"/models{'/info' if path == self.models_path else path}{query}"
        if path in (self.models_path, "/responses"):
            return f"/openai{path}{query}"
        return f"/openai/deployments/{quote(model, safe='')}{path}{query}"

    def _plain(self, call: HttpCall) -> HttpCall:
        """The call as OpenAI's reader knows it: `_placed` undone."""
        if self._form == "v1":
            return call
        front = _FRONT.match(call.path)
        return replace(call, path=call.path.partition("?")[0][front.end() if front else 0 :])

    def completes(self, model: str) -> bool:
        """Azure writes OpenAI's names without the dot; of other deployments nobody knows, and most of them chat."""
        return _COMPLETING.match(model) is not None

    def models_in(self, reply: HttpReply) -> list[str]:
        """None: Azure lists every model that could be deployed, and calls go to deployments by names of their own."""
        return []


@lru_cache(maxsize=64)
def _at(place: Place) -> AzureOpenAi:
    return AzureOpenAi(place._replace(root=""))


def azure_failure(reply: HttpReply) -> AttemptFailure:
    """Why a reply failed. Its codes are words of Azure's or the status as text."""
    error = _object(reply.body).get("error")
    error = error if isinstance(error, dict) else {}
    code, inner = str(error.get("code") or "").lower(), error.get("innererror")
    reason = str(inner.get("code") or "").lower() if isinstance(inner, dict) else ""
    failure = failure_from_body(reply.status, _object(reply.body) or None, reply.headers)
    if code in _FILTERED or reason in _FILTERED:
        failure.code, failure.status, failure.blame = "content_filter", 400, Blame.CALLER
    elif code in _NOT_HERE:
        failure.code, failure.status, failure.blame = "model_not_found", 404, Blame.FAILOVER
    elif reply.status == 404 and code in ("404", ""):
        failure.message = "Nothing is at this path: check the connection's address and API version."
    return failure


def _object(raw: bytes) -> Json:
    try:
        said: Any = loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


PROVIDER = AzureOpenAi()
