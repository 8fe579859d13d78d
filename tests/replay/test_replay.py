"""Every recording through the running gateway: text, tool calls, finish reason, usage, errors, and what else was said.

Of 846 interactions at least 85 % are replayed and come out as they were recorded. The rest is left out for one of three
reasons (`wires.py`), or fails; what this release does not serve at all fails, too.
"""

from tests.harness.evidence import Evidence
from tests.replay import wires
from tests.replay.rig import NOT_THERE, Rig
from tests.replay.shown import matrix_of, pairs_of, written
from tests.replay.table import Table
from tests.replay.traffic import PROVIDERS, recordings

_INTERACTIONS = 846
_LEAST_REPLAYED = 0.85
_REASONS = (wires.OUTSIDE, wires.MISSING, wires.REDACTED)


async def test_recorded_answers_come_through_as_they_were(rig: Rig, evidence: Evidence) -> None:
    table, through = Table(), []
    for recording in recordings():
        found = [] if recording.excluded else await rig.replay(recording)
        table.add(recording, found)
        if not found and recording.excluded is None:
            through.append(recording)
    print(table.text())
    passed, excluded, failed = table.all()
    evidence.note(
        cells="passed/excluded/failed",
        total=f"{passed}/{excluded}/{failed}",
        replayed=round(passed / _INTERACTIONS, 4),
        providers={provider: table.features(provider) for provider in PROVIDERS},
        excluded=dict(sorted(table.reasons.items())),
        failed=table.failures,
    )
    stale = "run `python -m tests.replay.shown`: it writes anew what models were shown to do"
    shown, said = pairs_of(matrix_of(through)), pairs_of(written())
    assert said <= shown, f"{stale}; no longer shown: {sorted(said - shown)[:5]}"
    assert evidence.folder is None or shown == said, f"{stale}; new: {sorted(shown - said)[:5]}"
    assert passed >= _LEAST_REPLAYED * _INTERACTIONS
    assert passed + excluded + failed == _INTERACTIONS
    assert not [failure for failure in table.failures if NOT_THERE not in failure], "\n".join(table.failures)


async def test_every_recording_is_left_out_for_an_allowed_reason_or_of_a_wire_that_is_read(rig: Rig) -> None:
    reasons = {recording.excluded for recording in recordings() if recording.excluded is not None}
    assert all(reason.startswith(_REASONS) for reason in reasons), reasons
    unruled = [recording.name for recording in recordings() if recording.excluded is None and not recording.wire]
    assert not unruled, "no line of wires.py knows these"
