"""An answer to a question, from a given context where there is one."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, chat_body, chat_output, only_fields, system_and_user, text_of


def _recognise(body: Json) -> float:
    given = body.get("input")
    if isinstance(given, dict):
        return 0.97 if "question" in given else 0.0
    if isinstance(given, str) and len(given) < 2000 and given.rstrip().endswith("?"):
        first = given.lstrip().split(" ", 1)[0].lower()
        return 0.5 if first in {"what", "who", "when", "where", "why", "how", "which", "is", "are", "does"} else 0.0
    return 0.0


def _ask_body(body: Json) -> Json:
    only_fields(body, "question", "context")
    question = text_of(body, "question")
    given = body.get("input")
    context = given.get("context") if isinstance(given, dict) else None
    if context is None:
        return chat_body(system_and_user("Answer the question briefly and exactly.", question), body)
    if not isinstance(context, str):
        raise InvalidRequest("'input.context' must be a text.", param="input.context")
    system = "Answer the question from the context alone. If the context does not hold the answer, say so."
    return chat_body(system_and_user(system, f"Context:\n{context}\n\nQuestion: {question}"), body)


TASK = Task("question-answering", "Question answering", "chat", _recognise, _ask_body, chat_output)
