"""What every kind of AI work knows about itself."""

from typing import Any, Literal, Protocol

Json = dict[str, Any]


class Task(Protocol):
    """One kind of work. Implementations are modules of this package with a `TASK` object."""

    name: str
    title: str
    kind: Literal["chat", "embedding"]

    def recognise(self, body: Json) -> float:
        """How sure (0 to 1) a `/ai-service` body without `task` means this one. Microseconds, no I/O."""

    def ask_body(self, body: Json) -> Json:
        """The body in our form (`wire.Ask.body`) from a `/ai-service` body.

        Raises:
            errors.InvalidRequest: `input` or a parameter is missing or of the wrong shape (named in `param`).
        """

    def output(self, answer_body: Json) -> Json:
        """The `output` object of the `/ai-service` answer from an answer in our form."""
