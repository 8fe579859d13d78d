"""Every recorded chat and embedding, through the running gateway: text, tool calls, finish reason, usage, errors."""

from tests.harness.evidence import Evidence
from tests.replay.rig import Rig
from tests.replay.table import Table
from tests.replay.traffic import PROVIDERS, recordings


async def test_recorded_answers_come_through_as_they_were(rig: Rig, evidence: Evidence) -> None:
    table = Table()
    for recording in recordings():
        table.add(recording, [] if recording.excluded else await rig.replay(recording))
    print(table.text())
    evidence.note(
        cells="passed/excluded/failed",
        providers={provider: table.features(provider) for provider in PROVIDERS},
        excluded=dict(sorted(table.reasons.items())),
        failed=table.failures,
    )
    assert all(table.total(provider)[0] for provider in PROVIDERS), "nothing of some provider was recorded"
    assert not table.failures, "\n".join(table.failures)
