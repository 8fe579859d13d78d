"""What a page can be narrowed by is read once in a while, not with every choice."""

from types import SimpleNamespace
from typing import Any

import pytest

from aiservice.kit.clock import DAY_US
from aiservice.portal.session import kept_choices as module
from aiservice.portal.session.kept_choices import kept_choices


class Read:
    """Counts how often choices are read; a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.reads = 100.0, 0
        self.found: dict[str, list[tuple[str, str]]] = {"model": [("m", "m")], "task": []}
        core = SimpleNamespace(usage=SimpleNamespace(choices=self.choices))
        monkeypatch.setattr(module, "current_core", lambda: core)
        monkeypatch.setattr(module, "signed_in", lambda: None)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    async def choices(self, _actor: Any, _since_us: int) -> dict[str, list[tuple[str, str]]]:
        self.reads += 1
        return self.found


async def test_choices_are_read_again_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    read, state = Read(monkeypatch), SimpleNamespace(_choices={}, _choices_at=0.0)
    for _ in range(5):
        assert await kept_choices(state, DAY_US) == read.found
        read.now += 1
    assert read.reads == 1
    read.now += 15
    await kept_choices(state, DAY_US)
    assert read.reads == 2


async def test_where_there_was_nothing_it_is_looked_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read, state = Read(monkeypatch), SimpleNamespace(_choices={}, _choices_at=0.0)
    read.found = {"model": [], "task": []}
    await kept_choices(state, DAY_US)
    await kept_choices(state, DAY_US)
    assert read.reads == 2
