"""An answer in our form as a `response` (platform.openai.com/docs/api-reference/responses/object)."""

from typing import Any

from aiservice.dialects._base import Outcome
from aiservice.dialects._responses_output import Output
from aiservice.dialects._responses_parts import plain_items
from aiservice.dialects._responses_tools import called_as
from aiservice.wire import Answer, Ask, EventKind, FinishReason, StreamEvent, ToolCallDelta, Usage

Json = dict[str, Any]

# What a response tells again of its request, with what is told where the request says nothing.
_TOLD_AGAIN: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_REASONS: dict[FinishReason, str] = {
    "length": "max_output_tokens",
    "budget_exhausted": "max_output_tokens",
    "content_filter": "content_filter",
}


def response_id(request_id: str) -> str:
    """A response's id: the request's, as OpenAI writes its own."""
    return "resp_" + request_id.removeprefix("req_")


def is_whole(finish: FinishReason | None) -> bool:
    """Whether an answer that ends so is `completed`."""
    return finish not in _REASONS


def response_of(ask: Ask | None, outcome: Outcome, output: list[Json], model: str = "") -> Json:
    """A response that has just begun: `in_progress`, with nothing said of its usage."""
    told = (ask.native if ask is not None else None) or {}
    again = {name: value for name, value in told.items() if value is not None and name in _TOLD_AGAIN}
    fields = (ask.answer_fields if ask is not None else None) or {}
    return {
        "id": response_id(outcome.request_id),
        "object": "response",
        "created_at": outcome.created_s,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model or outcome.model,
        "output": output,
        **_TOLD_AGAIN,
        **again,
        "usage": None,
        **fields,
    }


def ended(response: Json, finish: FinishReason | None, usage: Usage) -> Json:
    """The same response at its end; it is changed, not copied."""
    reason = _REASONS.get(finish) if finish is not None else None
    details: Json | None = None
    if reason is not None:
        details = {"reason": reason}
        if finish == "budget_exhausted":  # this wire's clients know no such reason; those who look closer are told
            details["type"] = finish
    status = "completed" if reason is None else "incomplete"
    response["status"], response["incomplete_details"], response["usage"] = status, details, usage_of(usage)
    return response


def usage_of(usage: Usage) -> Json:
    """`usage`, whose details are parts of its sums."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def whole_response(answer: Answer, outcome: Outcome) -> Json:
    """The response for a whole answer."""
    ask = outcome.ask
    choices = answer.body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    said = choice.get("message")
    plain = None if choice.get("logprobs") else plain_text(said)
    if plain is not None:
        items = plain_items(outcome.request_id, plain, is_whole=is_whole(answer.finish_reason))
        return ended(response_of(ask, outcome, items, answer.model), answer.finish_reason, outcome.usage)
    output = Output(outcome.request_id, called_as(ask.native if ask is not None else None), None)
    _say(said if isinstance(said, dict) else {}, choice.get("logprobs"), output)
    output.finish(is_whole=is_whole(answer.finish_reason))
    response = response_of(ask, outcome, output.items, answer.model)
    return ended(response, answer.finish_reason, outcome.usage)


def plain_text(message: object) -> str | None:
    """The text of an assistant's message that says nothing else, as most do; None for any other."""
    if type(message) is not dict or type(text := message.get("content")) is not str:
        return None
    for name, value in message.items():
        if value and name not in ("content", "role"):
            return None
    return text


def _say(message: Json, logprobs: Any, output: Output) -> None:
    """Puts an assistant's message in our form into `output`: thinking, text, then tool calls."""
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        for detail in details:
            if isinstance(detail, dict):
                text = detail.get("text") or detail.get("summary")
                output.reasoning(
                    StreamEvent(EventKind.REASONING, text if isinstance(text, str) else "", details=detail)
                )
    else:
        thought = message.get("reasoning_content") or message.get("reasoning")
        if isinstance(thought, str) and thought:
            output.reasoning(StreamEvent(EventKind.REASONING, thought))
    text = _text_of(message.get("content"))
    if text:
        output.text(text)
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        output.noted(_annotations(message.get("annotations")), tokens if isinstance(tokens, list) else [])
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        output.refusal(message["refusal"])
    if isinstance(message.get("extra_content"), dict):
        output.extra_content(message["extra_content"])
    calls = message.get("tool_calls")
    for place, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict):
            output.tool_call(_delta(call, place))


def _delta(call: Json, place: int) -> ToolCallDelta:
    function = call.get("function") or call.get("custom")
    function = function if isinstance(function, dict) else {}
    name, said = function.get("name"), function.get("arguments", function.get("input"))
    return ToolCallDelta(
        place,
        call["id"] if isinstance(call.get("id"), str) and call["id"] else None,
        name if isinstance(name, str) else "",
        said if isinstance(said, str) else "",
        call["extra_content"] if isinstance(call.get("extra_content"), dict) else None,
    )


def _annotations(given: Any) -> list[Json]:
    """Chat's annotations, which are nested there and flat here."""
    found = []
    for noted in given if isinstance(given, list) else ():
        kind = noted.get("type") if isinstance(noted, dict) else None
        inner = noted.get(kind) if isinstance(kind, str) else None
        found.append({"type": kind, **inner} if isinstance(inner, dict) else noted)
    return found


def _text_of(content: object) -> str:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""
