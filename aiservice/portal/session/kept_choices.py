"""What a list or chart can be narrowed by, kept for a moment: in a large company reading it takes longer than the page
itself, and a tab's next event waits for it."""

import time
from typing import Any

from aiservice.kit.clock import now_us
from aiservice.portal.session.guard import signed_in
from aiservice.services.core import current_core

_KEPT_SECONDS = 15.0  # a page is narrowed several times in a row; a model that is new is there a moment later

Choices = dict[str, list[tuple[str, str]]]


async def kept_choices(state: Any, span_us: int) -> Choices:
    """Of the last `span_us`, for the signed-in person, as `Usage.choices`. `state` keeps them in its `_choices` and
    `_choices_at`, which go with everything else of it when somebody else signs in."""
    if not any(state._choices.values()) or time.monotonic() - state._choices_at > _KEPT_SECONDS:
        state._choices = await current_core().usage.choices(signed_in(), now_us() - span_us)
        state._choices_at = time.monotonic()
    found: Choices = state._choices
    return found
