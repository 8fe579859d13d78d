"""Every recorded chat and embedding, through the running gateway: text, tool calls, finish reason, usage, errors."""

import pytest

from tests.harness.evidence import Evidence
from tests.replay.rig import Rig
from tests.replay.table import Table
from tests.replay.traffic import PROVIDERS, recordings


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_recorded_answers_come_through_as_they_were(rig: Rig, provider: str, evidence: Evidence) -> None:
    table = Table()
    for recording in recordings():
        if recording.provider == provider:
            table.add(recording, [] if recording.excluded else await rig.replay(recording))
    print(table.text())
    evidence.note(
        cells="passed/excluded/failed", features=table.features(provider), excluded=table.reasons, failed=table.failures
    )
    assert table.total(provider)[0], "nothing of this provider was recorded"
    assert not table.failures, "\n".join(table.failures)
