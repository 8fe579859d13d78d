"""The rig of the replays; without recorded traffic they are skipped, and say so."""

import os
from collections.abc import AsyncIterator

import pytest

from aiservice.settings import Settings
from tests.replay import traffic
from tests.replay.rig import Rig, running_rig

collect_ignore = [] if os.environ.get("REPLAYED") else ["test_some.py"]
"""That one is for who plants a bug: without a choice it has nothing to say."""


@pytest.fixture
async def rig(installed: Settings) -> AsyncIterator[Rig]:
    if traffic.folder() is None:
        pytest.skip("no recorded traffic: set RECORDED_TRAFFIC to its folder, or lay it at ../shared/traffic")
    async with running_rig(installed) as running:
        yield running
