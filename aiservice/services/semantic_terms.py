"""What a policy says of similar questions, and which part of a request is its question. Rules, and no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiservice.errors import Unprocessable

LEAST_PERMILLE = 800  # below, questions of one topic are alike whatever they ask
_MOST_CHARACTERS = 8_000  # of a question: a document says too much for one vector
_TEXT_PARTS = ("text", "input_text")
_TEXTS = ("text", "question")  # of an input that is a task's own object


@dataclass(slots=True, frozen=True)
class SemanticRule:
    """A question is given a similar one's answer where their vectors' cosine is `least_permille` of 1 000 or more.

    `embeddings` names who makes the vectors, as "connection:model". Of those that would be given one,
    `judged_percent` are asked all the same, and the answers compared; where fewer than `least_precision_percent` of
    them agree, it is switched off. `policy` is the id of the policy that says so, since `since_us`.
    """

    least_permille: int = 950
    embeddings: str = ""
    judged_percent: int = 5
    least_precision_percent: int = 90
    policy: str = ""
    since_us: int = 0

    @property
    def connection(self) -> str:
        return self.embeddings.partition(":")[0]

    @property
    def model(self) -> str:
        return self.embeddings.partition(":")[2]


class Question(NamedTuple):
    """A request's question, and the rest of its body."""

    text: str
    rest: dict[str, Any]


def checked_semantic(rule: SemanticRule) -> SemanticRule:
    """The same rule.

    Raises:
        Unprocessable: a number of it is none, or it does not say who makes the vectors.
    """
    if not LEAST_PERMILLE <= rule.least_permille <= 1_000:
        raise Unprocessable(f"The least similarity is from {LEAST_PERMILLE / 1_000} to 1.", param="similar")
    if not rule.connection or not rule.model:
        words = "Say who makes the vectors of questions, as connection:model, such as openai:text-embedding-3-small."
        raise Unprocessable(words, param="embeddings")
    if not 1 <= rule.judged_percent <= 100:
        raise Unprocessable("From 1 to 100 % of similar questions are asked all the same.", param="judged")
    if not 1 <= rule.least_precision_percent <= 100:
        raise Unprocessable("The least share of answers that agree is from 1 to 100 %.", param="precision")
    return rule


def question_in(body: Mapping[str, Any]) -> Question | None:
    """The text that a body asks last, if that is all there is of its last turn; None where there are pictures, results
    of tools or several texts, or it is too long to be compared."""
    path = _path_in(body)
    if path is None:
        return None
    text: Any = body
    for step in path:
        text = text[step]
    if not isinstance(text, str) or not text.strip() or len(text) > _MOST_CHARACTERS:
        return None
    return Question(text, _without(body, path))


Path = tuple[str | int, ...]


def _path_in(body: Mapping[str, Any]) -> Path | None:
    given = body.get("input")
    if isinstance(given, str):
        return ("input",)
    if isinstance(given, dict):
        named = [name for name in _TEXTS if isinstance(given.get(name), str)]
        return ("input", named[0]) if len(named) == 1 else None
    for field, content in (("messages", "content"), ("input", "content"), ("contents", "parts")):
        turns = body.get(field)
        if isinstance(turns, list) and turns:
            inside = _path_in_turn(turns[-1], content)
            return None if inside is None else (field, len(turns) - 1, *inside)
    return None


def _path_in_turn(turn: Any, content: str) -> Path | None:
    if not isinstance(turn, dict) or turn.get("role", "user") != "user":
        return None
    said = turn.get(content)
    if isinstance(said, str):
        return (content,)
    if not isinstance(said, list) or len(said) != 1 or not isinstance(said[0], dict):
        return None
    part = said[0]
    is_text = part.get("type") in _TEXT_PARTS if content == "content" else part.keys() == {"text"}
    return (content, 0, "text") if is_text and isinstance(part.get("text"), str) else None


def _without(value: Any, path: Path) -> Any:
    """A copy that has nothing at `path`; what does not lead there is the same."""
    if not path:
        return None
    inside = _without(value[path[0]], path[1:])
    if isinstance(value, list):
        return [inside if place == path[0] else one for place, one in enumerate(value)]
    return {**value, path[0]: inside}
