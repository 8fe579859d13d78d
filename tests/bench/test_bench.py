"""The benchmark runs and every request it makes is answered and counted; under --long the promised figures hold."""

from pathlib import Path

import pytest

from tests.bench.__main__ import measure, measure_keys, measure_messages
from tests.bench.fixtures import ANSWER_BYTES, REQUEST_BYTES, STREAM_EVENTS, answer_body, request_body, stream_events
from tests.bench.measure import Step
from tests.bench.mocks import Mocks
from tests.bench.report import Row, as_json, as_table
from tests.bench.targets import LOAD_CORE, direct, forwarder, gateway
from tests.harness.evidence import Evidence


def test_fixed_bodies_have_their_sizes() -> None:
    assert len(request_body()) == REQUEST_BYTES
    assert len(answer_body()) == ANSWER_BYTES
    assert len(stream_events()) == STREAM_EVENTS


@pytest.mark.long
@pytest.mark.load
@pytest.mark.process
def test_every_request_of_a_quick_run_is_in_the_ledger(tmp_path: Path) -> None:
    with Mocks(tmp_path / "mocks", core=LOAD_CORE) as mocks, gateway(tmp_path / "gateway", mocks) as target:
        row = measure(target, tmp_path, seconds=1.0)
    print(as_table([row]))
    assert row.ledger_rows is not None
    assert row.ledger_rows >= row.requests_made
    assert {step.errors for step in row.steps} == {0}


@pytest.mark.load
@pytest.mark.process
@pytest.mark.long
def test_a_request_costs_no_more_than_promised(tmp_path: Path, evidence: Evidence) -> None:
    rows: dict[str, Row] = {}
    with Mocks(tmp_path / "mocks", core=LOAD_CORE) as mocks:
        for name, opened in (
            ("direct", direct(tmp_path / "direct")),
            ("forwarder", forwarder(tmp_path / "forwarder", mocks)),
            ("gateway", gateway(tmp_path / "gateway", mocks)),
        ):
            with opened as target:
                rows[name] = measure(target, tmp_path, seconds=4.0)
        for keys in (10, 100_000):
            with gateway(tmp_path / f"keys-{keys}", mocks, keys=keys) as target:
                rows[target.name] = measure_keys(target, tmp_path, seconds=4.0)
    table = as_table(list(rows.values()))
    print(table)
    ours, straight = rows["gateway"], rows["direct"]
    first = _step(ours, "stream, 5 ms a word", 1).p50_ms - _step(straight, "stream, 5 ms a word", 1).p50_ms
    many, few = (_step(rows[f"gateway, {keys} keys"], "whole", 64).cpu_us for keys in (100_000, 10))
    figures = {
        "cpu_us_whole_64": (_step(ours, "whole", 64).cpu_us, 220.0),
        "cpu_us_stream_unpaced_16": (_step(ours, "stream", 16).cpu_us, 1000.0),
        "cpu_us_stream_paced_64": (_step(ours, "stream, 20 ms a word", 64).cpu_us, 1600.0),
        "added_p50_ms_whole_1": (_step(ours, "whole", 1).p50_ms - _step(straight, "whole", 1).p50_ms, 1.5),
        "added_first_byte_p50_ms": (first, 2.0),
        "many_keys_over_few": (many / few, 1.1),
        "idle_pss_mb": (ours.idle_pss_mb, 150.0),
        "ready_seconds": (ours.ready_seconds or 0.0, 3.0),
    }
    evidence.note(promises=figures, table=table.splitlines(), run=as_json(list(rows.values())))
    assert {name: pair for name, pair in figures.items() if pair[0] > pair[1]} == {}


@pytest.mark.load
@pytest.mark.process
@pytest.mark.long
def test_translating_costs_at_most_half_as_much_again(tmp_path: Path, evidence: Evidence) -> None:
    with Mocks(tmp_path / "mocks", core=LOAD_CORE) as mocks, gateway(tmp_path / "gateway", mocks) as target:
        row = measure_messages(target, tmp_path, seconds=4.0)
    print(as_table([row]))
    ratios = {
        load: _step(row, f"{load}, messages", connections).cpu_us / _step(row, load, connections).cpu_us
        for load, connections in (("whole", 64), ("stream", 16))
    }
    evidence.note(over_passing_through=ratios, run=as_json([row]))
    assert max(ratios.values()) <= 1.5
    assert row.ledger_rows is not None
    assert row.ledger_rows >= row.requests_made


def _step(row: Row, load: str, connections: int) -> Step:
    found = row.step(load, connections)
    assert found is not None
    return found
