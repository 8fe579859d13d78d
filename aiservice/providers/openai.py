"""OpenAI itself: chat completions, and the Responses API where chat completions refuses a model or what it is asked."""

import re
from dataclasses import replace
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers import _openai_models
from aiservice.providers._base import AttemptFailed, StreamReader, cannot_carry, refuse_uncarried, token_count
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._failures import invalid_answer
from aiservice.providers._openai_models import ModelRules, rules_for
from aiservice.providers._openai_responses import responses_body
from aiservice.providers._openai_responses_answer import read_response
from aiservice.providers._openai_responses_stream import ResponsesStreamReader
from aiservice.providers._openai_shape import OpenAiShape
from aiservice.wire import CHAT_WIRE, COMPLETIONS_WIRE, RESPONSES_WIRE, Answer, Ask, HttpCall, HttpReply, Json, Usage

_RESPONSES = "/responses"
# Models that go on with a prompt (platform.openai.com/docs/models and /docs/deprecations).
_COMPLETING = re.compile(
    r"(?:ft:)?(?:gpt-3\.5-turbo-instruct|(?:text-|code-)?(?:ada|babbage|curie|davinci)(?!.*(?:embed|similarity|search)))"
)
_COUNT = "/responses/input_tokens"
_SEALED = "reasoning.encrypted_content"
# What a model that takes none of these takes all the same: it is what it does anyway.
_NEUTRAL = {
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
}


class OpenAi(OpenAiShape):
    kind = "openai"
    title = "OpenAI"
    default_base_url: str | None = "https://api.openai.com/v1"
    counts_tokens = True
    is_strict = True
    responses_path = _RESPONSES
    rerank_path = ""

    def capabilities(self, model: str) -> Capabilities:
        return _openai_models.capabilities(model)

    def completes(self, model: str) -> bool:
        return _COMPLETING.match(model) is not None

    def rules(self, model: str) -> ModelRules:
        """What `model` takes, by the name that it has here."""
        return rules_for(model)

    def build(self, ask: Ask, model: str) -> HttpCall:
        if ask.wire == COMPLETIONS_WIRE and self.completes(model):
            return super().build(ask, model)
        rules = self.rules(model)
        if ask.wire == RESPONSES_WIRE and self.takes_as_it_is(ask):
            return self.passed_on(ask, model)
        if ask.kind == "token-count":
            if ask.wire == RESPONSES_WIRE and ask.native is not None:
                body = {**ask.native, "model": model}
            else:
                body = responses_body(ask, model, is_reasoning=False)
            kept = ("input", "instructions", "model", "reasoning", "text", "tool_choice", "tools")
            return HttpCall(_COUNT, orjson.dumps({name: body[name] for name in kept if name in body}))
        if ask.kind == "chat":
            if rules.refused:
                _check_refused(ask.body, model, rules)
            if not rules.has_chat or _needs_responses(ask, rules):
                refuse_uncarried(ask, self.title)
                body = responses_body(ask, model, is_reasoning=rules.is_reasoning)
                return HttpCall(_RESPONSES, orjson.dumps(body), is_stream=ask.is_stream)
        return super().build(ask, model)

    def passed_on(self, ask: Ask, model: str) -> HttpCall:
        """As it is; but where this broker keeps the conversation, the model's reasoning has to come along: sealed, as
        OpenAI keeps nothing of it."""
        native = ask.native
        wanted = native.get("include") if native is not None else None
        if native is not None and ask.answer_fields is not None and self.rules(model).is_reasoning:
            listed = wanted if isinstance(wanted, list) else []
            if _SEALED not in listed:
                ask = replace(ask, native={**native, "include": [*listed, _SEALED]})
        return super().passed_on(ask, model)

    def adapted(self, body: Json, model: str) -> None:
        if body.get("reasoning_effort") == "none" and self.capabilities(model).reasoning is False:
            del body["reasoning_effort"]  # it does what is asked by nature, and would refuse the word
        if "max_tokens" in body and self.rules(model).is_reasoning:
            limit = body.pop("max_tokens")
            body.setdefault("max_completion_tokens", limit)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        if call.path == _RESPONSES:
            return read_response(reply, keeps_raw=self.takes_as_it_is(ask))
        if call.path == _COUNT:
            return _token_count(reply)
        return super().read(ask, call, reply)

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        if call.path == _RESPONSES:
            return ResponsesStreamReader(keeps_frames=self.takes_as_it_is(ask))
        return super().reader(ask, call)


def _check_refused(body: Json, model: str, rules: ModelRules) -> None:
    for name in rules.refused:
        value = body.get(name)
        if value is not None and value not in _NEUTRAL.get(name, ()):
            raise cannot_carry(name, f"'{name}' is not taken by '{model}': leave it out, or choose another model.")


def _needs_responses(ask: Ask, rules: ModelRules) -> bool:
    """Whether chat completions would refuse what is asked: this model's tools, tools that OpenAI runs itself, a
    document by its address, an image that a tool gave."""
    body = ask.body
    tools = body.get("tools")
    if tools and isinstance(tools, list):
        if not rules.has_chat_tools:
            return True
        if any(isinstance(tool, dict) and tool.get("type") not in ("function", "custom") for tool in tools):
            return True
    return ask.wire != CHAT_WIRE and any(map(_is_only_for_responses, body.get("messages") or ()))


def _is_only_for_responses(message: Any) -> bool:
    content = message.get("content")
    if not isinstance(content, list):
        return False
    if message.get("role") == "tool":
        return any(isinstance(part, dict) and part.get("type") != "text" for part in content)
    files = (part.get("file") for part in content if isinstance(part, dict) and part.get("type") == "file")
    return any(isinstance(file, dict) and "file_url" in file for file in files)


def _token_count(reply: HttpReply) -> Answer:
    try:
        said = loads(reply.body)
    except orjson.JSONDecodeError:
        said = None
    count = token_count(said.get("input_tokens")) if isinstance(said, dict) else None
    if count is None:
        raise AttemptFailed(invalid_answer("its answer had no count"))
    return Answer({"input_tokens": count}, "", usage=Usage())


PROVIDER = OpenAi()
