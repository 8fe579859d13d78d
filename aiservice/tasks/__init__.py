"""One file per kind of AI work: how to recognise it, its input and output."""

import difflib
from functools import cache
from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.kit.discover import modules_of
from aiservice.tasks._base import Task
from aiservice.tasks._inference import Inference, Inferred


@cache
def registry() -> dict[str, Task]:
    """All tasks by name; a new one is a new module with a `TASK`."""
    import aiservice.tasks as package  # noqa: PLC0415 - itself, once, at first use

    tasks = [module.TASK for module in modules_of(package)]
    return {task.name: task for task in tasks}


def task_named(name: object) -> Task:
    """The task called `name`.

    Raises:
        InvalidRequest: there is none; the message names the nearest.
    """
    known = registry()
    if isinstance(name, str) and name in known:
        return known[name]
    near = difflib.get_close_matches(str(name)[:60], known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known ones: {', '.join(sorted(known))}."
    raise InvalidRequest(f"'{str(name)[:60]}' is not a task. {hint}", code="unknown_task", param="task")


@cache
def inference() -> Inference:
    """How tasks are told apart."""
    return Inference({name: task.signs for name, task in registry().items()})


def inferred_task(body: dict[str, Any]) -> tuple[Task, str]:
    """The task a `/ai-service` body without `task` means, from the body alone, and why.

    Raises:
        InvalidRequest: it is not clear (`task_unclear`, with the two likeliest).
    """
    found: Inferred = inference().infer(body)
    return registry()[found.task], found.reason
