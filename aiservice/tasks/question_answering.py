"""An answer to a question, from a given context where there is one."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, chat_body, chat_output, only_fields, system_and_user, text_of
from aiservice.tasks._signs import Signs, fields

SIGNS = Signs(fields=fields("question"))  # and by the form of its sentences (see `_wording`)


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


TASK = Task("question-answering", "Question answering", "chat", SIGNS, _ask_body, chat_output)
