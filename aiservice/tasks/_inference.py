"""Which kind of work a `/ai-service` body without `task` means, and why: from the body alone, no provider is asked.

Weighed in this order, and the first that says something decides: a model that does one kind of work alone; media; what
`input` is (messages, a list of texts, an object with fields of its own); parameters; then the text's wording. Where two
kinds are meant alike, or nothing says what is to be done with a text, it is asked back.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import check_form
from aiservice.tasks._signs import GIVEN, Signs
from aiservice.tasks._wording import Wording

Json = dict[str, Any]

_IMAGE = re.compile(r"data:image/|https?://\S+\.(?:png|jpe?g|webp|gif|bmp|heic|tiff?)(?:\?\S*)?$", re.IGNORECASE)
_SOUND = re.compile(r"data:audio/|https?://\S+\.(?:wav|mp3|m4a|flac|ogg|opus|aac)(?:\?\S*)?$", re.IGNORECASE)
_IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})
_SOUND_PARTS = frozenset({"input_audio", "audio_url", "audio"})
_IMAGE_FIELDS = frozenset({"image", "images", "image_url", "image_urls"})
_EDITED = frozenset({"size", "quality", "mask", "negative_prompt", "aspect_ratio"})
_PARTS = _IMAGE_PARTS | _SOUND_PARTS | {"text"}
# A request for several things at once names the second after one of these.
_AND = re.compile(r"(?:,|;| and| or| und| oder| et| ou| y| o| e| и|,? then)(?: then| also| please)? ")
_GIVEN = re.compile(rf"\b{GIVEN}")
_HELD = 160  # characters of an instruction in which a verb that comes late is sought
_TEXT_FIELDS = ("text", "content")
CHAT, CODE, TEXT, QUESTION = "chat", "code-generation", "text-generation", "question-answering"
IMAGE, TRANSCRIPT = "image-understanding", "speech-to-text"


@dataclass(slots=True, frozen=True)
class Inferred:
    """The name of a kind of work, and what in the body means it."""

    task: str
    reason: str


class Inference:
    """Reads bodies by the `signs` of every kind of work."""

    def __init__(self, signs: Mapping[str, Signs]) -> None:
        self._fields = [(each, name) for name, known in signs.items() for each in known.fields]
        self._names = frozenset().union(*(each for each, _ in self._fields))
        self._models = [(re.compile(known.models), name) for name, known in signs.items() if known.models]
        self._begins = _patterns({name: known.begins for name, known in signs.items()})
        self._holds = _patterns({name: known.holds for name, known in signs.items()})
        self._plain_holds = _patterns(  # of those, what a text without any other letters may hold
            {name: tuple(each for each in known.holds if each.isascii()) for name, known in signs.items()}
        )
        self._hints = [(re.compile(known.hints), name) for name, known in signs.items() if known.hints]
        self._of_model = lru_cache(maxsize=1024)(self._model_work)

    def infer(self, body: Json) -> Inferred:
        """What `body` means.

        Raises:
            InvalidRequest: it may mean several things, or says nothing of what is to be done (`task_unclear`); or
                `input` is nothing that any task takes.
        """
        given: Any = body.get("input")
        model = body.get("model")
        if isinstance(model, str):
            work = self._of_model(model)
            if work is not None:
                return Inferred(work, f"`model` is a model for {work}")
        parameters = body.get("parameters")
        options = parameters if isinstance(parameters, dict) else {}
        if isinstance(given, str):
            return self._text(given, options)
        if isinstance(given, list):
            return self._list(given, options)
        check_form(given)
        return self._object(given, options)

    def asks_for(self, task: str, text: str) -> bool:
        """Whether a text says by its own words that it wants `task`."""
        wording = Wording(text)
        return task in self._by_beginning(wording.head, wording.instruction) or task in self._late(wording)

    def _model_work(self, model: str) -> str | None:
        name = model.lower()
        return next((work for pattern, work in self._models if pattern.search(name)), None)

    def _list(self, given: list[Any], options: Json) -> Inferred:
        first = given[0] if given else None
        if isinstance(first, dict):
            if "role" in first:
                return _conversation(given, "`input` is a list of messages")
            kind = first.get("type")
            if isinstance(kind, str) and kind in _PARTS and "query" not in options:
                return _conversation([{"content": given}], "`input` is a list of content parts")
        found = self._told_by_fields(options.keys(), "`parameters.{}`", "`input` is a list and ")
        if found is None and isinstance(first, (str, int, list)):
            found = Inferred("embedding", "`input` is a list of texts")
        return found or _unclear("embedding", "rerank", "`input` is a list of objects")

    def _object(self, given: Json, options: Json) -> Inferred:
        if isinstance(given.get("messages"), list):
            return _conversation(given["messages"], "`input.messages` is a list of messages")
        if not given.keys().isdisjoint(_IMAGE_FIELDS) and given.keys().isdisjoint(_EDITED):
            return Inferred(IMAGE, "`input` has an image")
        if isinstance(given.get("file"), str) and _SOUND.match(given["file"]):
            return Inferred(TRANSCRIPT, "`input.file` is sound")
        found = self._told_by_fields(given.keys() | options.keys(), "`input.{}`", "", given)
        if found is not None:
            return found
        if isinstance(given.get("prompt"), str):
            return Inferred(TEXT, "`input.prompt` is set")
        text = next((given[name] for name in _TEXT_FIELDS if isinstance(given.get(name), str)), None)
        meant = self._by_words(Wording(text)) if text is not None else None
        return meant or _unclear("summarization", "classification", "`input` does not say what is to be done with it")

    def _text(self, given: str, options: Json) -> Inferred:
        if options:
            found = self._told_by_fields(options.keys() | {"text"}, "`parameters.{}`", "`input` is text and ")
            if found is not None:
                return found
            if options.get("tools"):
                return Inferred(CHAT, "`parameters.tools` makes it a turn of a conversation")
        if given.startswith(("data:", "http")):
            if _IMAGE.match(given):
                return Inferred(IMAGE, "`input` is an image")
            if _SOUND.match(given):
                return Inferred(TRANSCRIPT, "`input` is sound")
        wording = Wording(given)
        meant = self._by_words(wording)
        if meant is not None:
            return meant
        found = (
            Inferred(QUESTION, "`input` is a question")
            if wording.is_question
            else Inferred(TEXT, "`input` is a text that asks for no other kind of work")
        )
        if wording.gives_text and not wording.reworks:
            said = min(wording.instruction, wording.first_sentence, key=len)
            if found.task == QUESTION and said.isascii() and not _GIVEN.search(said):
                return found
            for pattern, task in self._hints:
                if pattern.search(said):
                    _unclear(task, found.task, "the text speaks of it, and may be meant as an order")
        return found

    def _told_by_fields(
        self, names: AbstractSet[str], where: str, said: str, given: Json | None = None
    ) -> Inferred | None:
        """What the names of fields mean; a larger set that is there goes before the smaller ones in it."""
        if names.isdisjoint(self._names):
            return None
        found = [(each, task) for each, task in self._fields if each <= names]
        found = [(each, task) for each, task in found if not any(each < other for other, _ in found)]
        tasks = list(dict.fromkeys(task for _, task in found))
        if not tasks:
            return None
        signs = [
            sorted(each)[-1] if given is None else next(iter(sorted(each, key=_most_telling))) for each, _ in found
        ]
        if len(tasks) > 1:
            _unclear(tasks[0], tasks[1], f"'{signs[0]}' and '{signs[-1]}' are both set")
        name = signs[0]
        place = where if given is None or name in given else "`parameters.{}`"
        return Inferred(tasks[0], f"{said}{place.format(name)} is set")

    def _by_words(self, wording: Wording) -> Inferred | None:
        """What the words ask for, where that is no text in general and no answer to a question."""
        found = self._by_beginning(wording.head, wording.instruction)
        if not found and not wording.is_order:
            found = self._late(wording)
        if not found:
            return None
        if len(found) > 1:
            _unclear(found[0], found[1], "the text asks for both")
        return Inferred(found[0], f"the text begins or ends with an order for {found[0]}")

    def _late(self, wording: Wording) -> list[str]:
        said = wording.instruction[:_HELD]
        holds = self._plain_holds if said.isascii() else self._holds
        found = [task for pattern, task in holds if pattern.search(said)]
        if not found and wording.last_line:
            found = self._by_beginning(wording.last_line, wording.last_line)
        return found

    def _by_beginning(self, head: str, instruction: str) -> list[str]:
        """The kinds of work that `head` begins with an order for, and those that its instruction adds to it."""
        found = self._started(head)
        if CODE in found:  # what code does, or is translated from, is no work of its own
            return [CODE]
        if found:
            for joint in _AND.finditer(instruction):
                rest = instruction[joint.end() :]
                found += [task for task in self._started(rest) if task not in found]
        return found

    def _started(self, head: str) -> list[str]:
        return [task for pattern, task in self._begins if pattern.match(head)]


def _patterns(wordings: dict[str, tuple[str, ...]]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile("|".join(each)), name) for name, each in wordings.items() if each]


def _most_telling(name: str) -> int:
    return name in ("text", "prompt", "query", "image")


def _conversation(messages: list[Any], what: str) -> Inferred:
    has_sound, words = False, ""
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            for part in content:
                kind = part.get("type") if isinstance(part, dict) else None
                if isinstance(kind, str):
                    if kind in _IMAGE_PARTS:
                        return Inferred(IMAGE, f"{what} with an image")
                    has_sound = has_sound or kind in _SOUND_PARTS
                    if kind == "text" and isinstance(part.get("text"), str):
                        words = part["text"]
    if has_sound and (not words or words.lstrip().lower().startswith(("transcri", "write down", "what is said"))):
        return Inferred(TRANSCRIPT, f"{what} with sound to be written down")
    return Inferred(CHAT, what)


def _unclear(likeliest: str, other: str, why: str) -> NoReturn:
    raise InvalidRequest(
        f"The task is not clear: {why}. It is likeliest '{likeliest}' or '{other}': say which, with "
        f'"task": "{likeliest}" or "task": "{other}".',
        code="task_unclear",
        param="task",
    )
