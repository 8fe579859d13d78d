"""The written half of the set: templates of every task, filled with what the pools hold."""

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.tasks.labelled import Labelled, written_bodies, written_english, written_languages
from tests.tasks.labelled.pools import POOLS

_FILLINGS = 4
_SLOT = re.compile(r"\{([a-z]+)\}")


@cache
def written() -> tuple[Labelled, ...]:
    """Every template, filled in up to four ways; always the same ones."""
    return tuple(found for template, task in _templates() for found in _filled(template, task))


def _templates() -> Iterator[tuple[dict[str, Any], str]]:
    for texts in (written_english.TEXTS, written_languages.TEXTS):
        for task, wordings in texts.items():
            for wording in wordings:
                yield {"input": wording}, task
    for task, bodies in written_bodies.BODIES.items():
        for body in bodies:
            yield body, task


def _filled(template: dict[str, Any], task: str) -> Iterator[Labelled]:
    group = json.dumps(template, sort_keys=True)
    chance = random.Random(group)
    seen = set()
    for _ in range(_FILLINGS):
        body = _fill(template, chance)
        text = json.dumps(body, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield Labelled(body, task, group)


def _fill(template: Any, chance: random.Random) -> Any:
    if isinstance(template, dict):
        return {name: _fill(value, chance) for name, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, chance) for value in template]
    if not isinstance(template, str):
        return template
    whole = _SLOT.fullmatch(template)
    if whole and whole[1] in POOLS:  # which may hold lists
        return chance.choice(POOLS[whole[1]])
    return _SLOT.sub(lambda slot: str(chance.choice(POOLS[slot[1]])) if slot[1] in POOLS else slot[0], template)
