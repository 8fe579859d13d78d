"""What live checks ask, and where an answer says what it says."""

from aiservice.wire import Json

_MOST_TOKENS = 512  # room for a model that thinks first
NO_SUCH_MODEL = "aiservice-no-such-model"
QUESTION = "What is the capital of Switzerland? Answer with one word."
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {"name": "look_up_weather", "description": "The weather in a city, now.", "parameters": CITY},
}
RED_SQUARE = (  # 64 by 64 pixels
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAS0lEQVR42u3PQQkAAAgAsetfWiP4FgYrsKZeS0BAQEBAQEB"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEDgsqnc8OJg6Ln3AAAAAElFTkSuQmCC"
)


def chat(text: str) -> Json:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": _MOST_TOKENS}


def message_of(body: Json) -> Json:
    choices = body.get("choices") or [{}]
    return choices[0].get("message") or {}
