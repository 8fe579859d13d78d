"""An answer in our form as Google's `GenerateContentResponse` (ai.google.dev/api/generate-content)."""

from typing import Any

import orjson

from aiservice.dialects._base import Outcome
from aiservice.dialects._google_state import FORMAT, signature_of
from aiservice.kit.bounded_json import loads
from aiservice.wire import Answer, FinishReason, Usage

Json = dict[str, Any]

_FINISH: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",  # Google has no other word for it
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "budget_exhausted": "MAX_TOKENS",
}
_EXHAUSTED = "The caller's budget pays no further."


def response_of(answer: Answer, outcome: Outcome, *, shows_thoughts: bool) -> Json:
    """The whole response."""
    choices = answer.body.get("choices")
    candidates = [
        _candidate(choice, place, answer.finish_reason, shows_thoughts=shows_thoughts)
        for place, choice in enumerate(_objects(choices))
    ]
    return {
        "candidates": candidates or [candidate_json(0, [], answer.finish_reason)],
        "usageMetadata": usage_of(outcome.usage),
        "modelVersion": answer.model or outcome.model,
        "responseId": outcome.request_id,
    }


def candidate_json(index: int, parts: list[Json], finish: FinishReason | None) -> Json:
    """One of the `candidates`; there is always a part, since clients look into the first."""
    candidate: Json = {"content": {"parts": parts or [{"text": ""}], "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = _FINISH[finish]
    if finish == "budget_exhausted":
        candidate["finishMessage"] = _EXHAUSTED
    candidate["index"] = index
    return candidate


def usage_of(usage: Usage) -> Json:
    """Google's `usageMetadata`, in which thoughts come on top of the candidates' tokens."""
    thoughts = min(usage.reasoning_tokens, usage.output_tokens)
    told: Json = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - thoughts,
        "totalTokenCount": usage.total_tokens,
    }
    if usage.cached_input_tokens:
        told["cachedContentTokenCount"] = usage.cached_input_tokens
    if thoughts:
        told["thoughtsTokenCount"] = thoughts
    return told


def call_part(call_id: object, name: object, arguments: object) -> Json:
    """The part for one call of a function."""
    called: Json = {"name": name if isinstance(name, str) else "", "args": _args(arguments)}
    if isinstance(call_id, str) and call_id:
        called["id"] = call_id
    return {"functionCall": called}


def _candidate(choice: Json, place: int, finish: FinishReason | None, *, shows_thoughts: bool) -> Json:
    said, index, own = choice.get("message"), choice.get("index"), choice.get("finish_reason")
    message = said if isinstance(said, dict) else {}
    ended: Any = own if isinstance(own, str) and own in _FINISH else finish
    if message.get("refusal"):
        ended = "content_filter"
    parts = parts_of(message, shows_thoughts=shows_thoughts)
    made = candidate_json(index if type(index) is int else place, parts, ended)
    if (result := _logprobs_result(choice.get("logprobs"))) is not None:
        made["logprobsResult"] = result
        chosen = [one["logProbability"] for one in result["chosenCandidates"]]
        if chosen:
            made["avgLogprobs"] = sum(chosen) / len(chosen)
    return made


def parts_of(message: Json, *, shows_thoughts: bool) -> list[Json]:
    """The parts of an assistant's message in our form: thoughts (where they are wanted), text, then calls.

    State goes where Google puts its own: on the first call, or else on the last text.
    """
    parts: list[Json] = []
    details = _objects(message.get("reasoning_details"))
    if shows_thoughts:
        parts, details = thought_parts(message, details)
    for text in (_text_of(message.get("content")), message.get("refusal")):
        if isinstance(text, str) and text:
            parts.append({"text": text})
    extra = message.get("extra_content")
    calls = _objects(message.get("tool_calls"))
    for place, call in enumerate(calls):
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        part = call_part(call.get("id"), function.get("name"), function.get("arguments"))
        own = call.get("extra_content")
        own = own if isinstance(own, dict) else None
        signature = signature_of(details if place == 0 else [], own, is_call=place == 0)
        parts.append(part if signature is None else {**part, "thoughtSignature": signature})
    signature = signature_of([] if calls else details, extra if isinstance(extra, dict) else None, is_call=False)
    return parts if signature is None else _signed(parts, signature)


def thought_parts(message: Json, details: list[Json]) -> tuple[list[Json], list[Json]]:
    """The thoughts of a message, and the details that are not told by them: those of others, who want them whole."""
    own = [item for item in details if item.get("format") == FORMAT and item.get("signature")]
    if own and len(own) == len(details):
        told = [
            {"text": item.get("text") or "", "thought": True, "thoughtSignature": item["signature"]} for item in own
        ]
        return told, []
    text = message.get("reasoning_content") or message.get("reasoning")
    return [{"text": text, "thought": True}] if isinstance(text, str) and text else [], details


def _signed(parts: list[Json], signature: str) -> list[Json]:
    """The same parts, the last text of them signed; where there is none, with an empty one that is."""
    for place in range(len(parts) - 1, -1, -1):
        if "text" in parts[place] and not parts[place].get("thought"):
            return [*parts[:place], {**parts[place], "thoughtSignature": signature}, *parts[place + 1 :]]
    return [*parts, {"text": "", "thoughtSignature": signature}]


def _objects(value: object) -> list[Json]:
    """The objects of a list: a provider may have sent anything."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text_of(content: object) -> str | None:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else None


def _args(arguments: object) -> Json:
    """A call's `args`, which must be an object: what is none is kept beside a name that says so."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        given = loads(arguments)
    except orjson.JSONDecodeError:
        return {"invalid_arguments": arguments}
    if isinstance(given, dict):
        return given
    return {} if given is None else {"invalid_arguments": arguments}


def _logprobs_result(logprobs: Any) -> Json | None:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list):
        return None
    tokens = _objects(content)
    result: Json = {"chosenCandidates": [_logprob(token) for token in tokens]}
    if any(token.get("top_logprobs") for token in tokens):
        result["topCandidates"] = [
            {"candidates": list(map(_logprob, _objects(token.get("top_logprobs"))))} for token in tokens
        ]
    return result


def _logprob(token: Json) -> Json:
    chance = token.get("logprob")
    return {"token": token.get("token") or "", "logProbability": chance if isinstance(chance, int | float) else 0.0}
