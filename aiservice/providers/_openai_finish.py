"""Why an answer ended, in the words of OpenAI's wire and of its look-alikes."""

from aiservice.wire import FinishReason

_FINISH: dict[str, FinishReason] = {
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
    if type(value) is str:
        found = _FINISH.get(value)
        return found if found is not None or value.lower() in _CUT_SHORT else "stop"
    return None if value is None else "stop"
