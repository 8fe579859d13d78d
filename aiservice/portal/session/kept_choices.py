"""What a list or chart can be narrowed by, kept for a moment: in a large company reading it takes longer than the page
itself, which does not wait for it."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aiservice.kit.clock import now_us
from aiservice.portal.session.guard import signed_in
from aiservice.portal.session.later import show_later
from aiservice.services.core import current_core

_KEPT_SECONDS = 15.0  # a page is narrowed several times in a row; a model that is new is there a moment later

Choices = dict[str, list[tuple[str, str]]]
Show = Callable[[Any, Choices], None]


async def kept_choices(state: Any, span_us: int) -> Choices:
    """Of the last `span_us`, for the signed-in person, as `Usage.choices`. `state` keeps them in its `_choices` and
    `_choices_at`, which go with everything else of it when somebody else signs in."""
    if not _are_kept(state):
        _keep(state, await _read(span_us))
    found: Choices = state._choices
    return found


def choices_later(state: Any, span_us: int, show: Show) -> None:
    """Calls `show(state, choices)`: now where they are kept, else once they are read, after the rest of the page."""
    if _are_kept(state):
        show(state, state._choices)
    else:
        show_later(state, partial(_read, span_us), partial(_keep_and_show, show))


def _are_kept(state: Any) -> bool:
    return any(state._choices.values()) and time.monotonic() - state._choices_at <= _KEPT_SECONDS


async def _read(span_us: int) -> Choices:
    return await current_core().usage.choices(signed_in(), now_us() - span_us)


def _keep(state: Any, found: Choices) -> None:
    state._choices, state._choices_at = found, time.monotonic()


def _keep_and_show(show: Show, state: Any, found: Choices) -> None:
    _keep(state, found)
    show(state, found)
