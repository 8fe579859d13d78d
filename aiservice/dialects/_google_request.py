"""A generateContent request in our form (ai.google.dev/api/generate-content).

What our form has no word for is named, not dropped. Hints that change no answer (labels for a bill, the order in which
a schema's properties are written, how calls are cut into pieces) are left out without a word.
"""

from typing import Any

from aiservice.dialects._google_contents import Conversation
from aiservice.dialects._google_names import Json, items, named, word, wrong
from aiservice.dialects._google_schema import json_schema_of
from aiservice.dialects._google_state import without_sealed
from aiservice.dialects._google_tools import put_tools
from aiservice.dialects._strict_schema import can_be_strict

NUMBERS = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "candidateCount": "n",
    "maxOutputTokens": "max_tokens",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "logprobs": "top_logprobs",
}
_WHOLE = frozenset({"candidateCount", "maxOutputTokens", "seed", "logprobs", "topK"})
_READ = frozenset(
    {
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "safetySettings",
        "model",
        "labels",
        "serviceTier",
        "store",
    }
)
_PLAIN = _READ - {"safetySettings", "serviceTier", "store"}
_CONFIG = frozenset(
    {"stopSequences", "responseLogprobs", "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig",
     "responseModalities", *NUMBERS}
)  # fmt: skip
_LEVELS = frozenset({"minimal", "low", "medium", "high", "xhigh"})
# A budget of thinking tokens, up to which it is the effort named; past the last one it is "high".
_EFFORT_OF_BUDGET = ((0, "none"), (4096, "low"), (16_384, "medium"))
_TIERS = {"standard": "default", "unspecified": "auto", "flex": "flex", "priority": "priority"}
_THRESHOLDS = (
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH",
    "BLOCK_NONE", "OFF",
)  # fmt: skip
# Thresholds that filter nothing: what happens where nobody knows of them.
_UNFILTERED = frozenset({"BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED"})


class Translated:
    """A request in both forms: `chat` is ours, `native` Google's without state of others. `uncarried` names what the
    first has no word for; `shows_thoughts`: the client asked to see them."""

    __slots__ = ("chat", "native", "shows_thoughts", "uncarried")

    def __init__(self, body: Json) -> None:
        """Reads `body`, whose own names are in camelCase.

        Raises:
            InvalidRequest: a field is missing or of the wrong shape (named in `param`).
        """
        contents = items(body.get("contents"), "contents")
        if not contents:
            raise wrong("contents", "must be a list of at least one content.")
        talk = Conversation()
        if body.get("systemInstruction") is not None:
            talk.system(body["systemInstruction"])
        for place, content in enumerate(contents):
            talk.add(content, place)
        self.chat: Json = {"messages": talk.messages}
        self.native = {**body, "contents": without_sealed(contents)} if talk.has_foreign_state else body
        self.uncarried = talk.uncarried
        self.shows_thoughts = False
        if "tools" in body or "toolConfig" in body:
            put_tools(body, self.chat, self.uncarried)
        if body.get("generationConfig") is not None:
            config = named(body["generationConfig"], "generationConfig")
            if config is not body["generationConfig"]:
                self.native = {**self.native, "generationConfig": config}
            self._configure(config)
        if not _PLAIN.issuperset(body):
            self._take_rest(body)

    def _configure(self, config: Json) -> None:
        chat = self.chat
        for name, value in config.items():
            if value is not None and name in NUMBERS:
                chat[NUMBERS[name]] = _number(name, value)
        if NUMBERS.keys() >= config.keys():
            return
        stops = items(config.get("stopSequences"), "generationConfig.stopSequences")
        if not all(isinstance(stop, str) for stop in stops):
            raise wrong("generationConfig.stopSequences", "must be a list of texts.")
        if stops:
            chat["stop"] = stops
        if config.get("responseLogprobs") is True:
            chat["logprobs"] = True
        if (shape := self._format(config)) is not None:
            chat["response_format"] = shape
        if config.get("thinkingConfig") is not None:
            self._think(named(config["thinkingConfig"], "generationConfig.thinkingConfig"))
        modalities = items(config.get("responseModalities"), "generationConfig.responseModalities")
        if any(str(kind).upper() not in ("TEXT", "MODALITY_UNSPECIFIED") for kind in modalities):
            self.uncarried.append("generationConfig.responseModalities")
        self._note(config, _CONFIG, "generationConfig.")

    def _format(self, config: Json) -> Json | None:
        kind = config.get("responseMimeType") or "text/plain"
        openapi, schema = config.get("responseSchema"), config.get("responseJsonSchema")
        if kind == "text/plain" and openapi is None and schema is None:
            return None
        if kind != "application/json":
            self.uncarried.append("generationConfig.responseMimeType")
            return None
        if openapi is not None:
            schema = json_schema_of(openapi, "generationConfig.responseSchema")
        if schema is None:
            return {"type": "json_object"}
        if type(schema) is not dict:
            raise wrong("generationConfig.responseJsonSchema", "must be a JSON schema (an object).")
        is_strict = schema.get("type") == "object" and can_be_strict(schema)
        return {"type": "json_schema", "json_schema": {"name": "output", "schema": schema, "strict": is_strict}}

    def _think(self, thinking: Json) -> None:
        self.shows_thoughts = thinking.get("includeThoughts") is True
        level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
        if level is not None and level != "THINKING_LEVEL_UNSPECIFIED":
            effort = level.lower() if isinstance(level, str) else ""
            if effort not in _LEVELS:
                raise wrong("generationConfig.thinkingConfig.thinkingLevel", "must be MINIMAL, LOW, MEDIUM or HIGH.")
            self.chat["reasoning_effort"] = effort
        elif budget is not None and budget != -1:  # -1: as much as the model likes
            if type(budget) is not int or budget < 0:
                raise wrong("generationConfig.thinkingConfig.thinkingBudget", "must be a whole number, or -1.")
            effort = next((name for limit, name in _EFFORT_OF_BUDGET if budget <= limit), "high")
            self.chat["reasoning_effort"] = effort
        known = frozenset({"includeThoughts", "thinkingLevel", "thinkingBudget"})
        self._note(thinking, known, "generationConfig.thinkingConfig.")

    def _take_rest(self, body: Json) -> None:
        for place, item in enumerate(items(body.get("safetySettings"), "safetySettings")):
            setting = named(item, f"safetySettings[{place}]")
            if word(setting.get("threshold"), _THRESHOLDS, f"safetySettings[{place}].threshold") not in _UNFILTERED:
                self.uncarried.append(f"safetySettings[{place}]")
        tier = body.get("serviceTier")
        if tier is not None:
            ours = _TIERS.get(str(tier).lower().removeprefix("service_tier_"))
            if ours is None:
                raise wrong("serviceTier", "must be 'standard', 'flex' or 'priority'.")
            self.chat["service_tier"] = ours
        if body.get("store") is True:
            self.uncarried.append("store")
        self._note(body, _READ, "")

    def _note(self, given: Json, known: frozenset[str], prefix: str) -> None:
        """Notes the fields that nobody here has read; those that say nothing are none."""
        self.uncarried.extend(
            prefix + name for name, value in given.items() if name not in known and value not in (None, False, [], {})
        )


_INT32 = 2**31  # what Google's whole numbers are below


def _number(name: str, value: Any) -> Any:
    if type(value) is float and name in _WHOLE and value.is_integer() and abs(value) < _INT32:
        return int(value)
    if type(value) is not int and (type(value) is not float or name in _WHOLE):
        raise wrong(f"generationConfig.{name}", f"must be a {'whole ' if name in _WHOLE else ''}number.")
    return value
