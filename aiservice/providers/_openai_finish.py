"""Why an answer ended, in the words of OpenAI's wire and of its look-alikes."""

from aiservice.wire import FinishReason

_FINISH: dict[object, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",  # in OpenAI's `finish_details`, which its first vision models sent instead
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# The provider's own word for "this is not the whole answer" (DeepSeek, OpenRouter, Zhipu, vLLM): never a clean stop.
_CUT_SHORT = frozenset({"error", "abort", "aborted", "cancelled", "insufficient_system_resource", "network_error"})


def finish_reason_of(value: object) -> FinishReason | None:
    """OpenAI's finish reason; an unknown one counts as `stop`. None where there is none, or it says that it failed."""
    if value is None or (isinstance(value, str) and value.lower() in _CUT_SHORT):
        return None
    return _FINISH.get(value, "stop") if isinstance(value, str) else "stop"
