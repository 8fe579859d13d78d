"""A suite that cannot fail proves nothing: thirty bugs are planted, one at a time, and at least 28 must turn it red.

Each is planted in a copy of the sources, which other tests and this process never see.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.evidence import Evidence
from tests.harness.process import ROOT
from tests.replay import traffic
from tests.replay.planted import BUGS, Bug

_CAUGHT_AT_LEAST = 28
_SECONDS = 300
_REPLAY = "tests/replay/test_some.py"
_NOT_COPIED = ("__pycache__", "node_modules", "evidence", "browser", "sdk", "bench")
_FAILED = 1  # pytest's word for tests that ran and failed: a bug that breaks the import is none


def test_every_bug_can_still_be_planted() -> None:
    assert len(BUGS) == len({bug.name for bug in BUGS}) == 30
    for bug in BUGS:
        source = (ROOT / "aiservice" / bug.path).read_text()
        assert all(source.count(old) == 1 for old, _ in bug.edits), bug.name
        assert all((ROOT / "tests" / name).exists() for name in bug.tests), bug.name


@pytest.mark.long
def test_of_thirty_planted_bugs_at_least_28_turn_the_suite_red(tmp_path: Path, evidence: Evidence) -> None:
    if traffic.folder() is None:
        pytest.skip("no recorded traffic: set RECORDED_TRAFFIC to its folder, or lay it at ../shared/traffic")
    _is_green_without(tmp_path / "as it is")
    found = {bug.name: _put_to_the_suite(bug, tmp_path / bug.name) for bug in BUGS}
    missed = [name for name, by in found.items() if by is None]
    evidence.note(
        caught=f"{len(BUGS) - len(missed)} of {len(BUGS)}",
        missed=missed,
        bugs={bug.name: {"thread": bug.thread, "file": bug.path, "caught_by": found[bug.name]} for bug in BUGS},
    )
    assert len(BUGS) - len(missed) >= _CAUGHT_AT_LEAST, missed


def _is_green_without(place: Path) -> None:
    """What a bug is put to passes without one: else anything would be caught."""
    _copy_to(place)
    red = {
        bug.name for bug in {(bug.wire, bug.provider): bug for bug in BUGS}.values() if _is_red(bug, place, [_REPLAY])
    }
    tests = sorted({f"tests/{name}" for bug in BUGS for name in bug.tests})
    assert not red
    assert not _is_red(BUGS[0], place, tests)
    shutil.rmtree(place)


def _copy_to(place: Path) -> None:
    for folder in ("aiservice", "alembic", "tests"):
        shutil.copytree(ROOT / folder, place / folder, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    for name in (".pytest.ini", "alembic.ini", "README.md", "rxconfig.py"):
        shutil.copy(ROOT / name, place / name)


def _put_to_the_suite(bug: Bug, place: Path) -> str | None:
    """What caught `bug`: the replay, or the tests of the adapters; None where nothing did."""
    _copy_to(place)
    planted = place / "aiservice" / bug.path
    source = planted.read_text()
    for old, new in bug.edits:
        source = source.replace(old, new)
    planted.write_text(source)
    try:
        if _is_red(bug, place, [_REPLAY]):
            return "replay"
        targets = [f"tests/{one}" for one in bug.tests]
        return "tests of the adapters" if targets and _is_red(bug, place, targets) else None
    finally:
        shutil.rmtree(place)


def _is_red(bug: Bug, place: Path, targets: list[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *targets]
    given = {"RECORDED_TRAFFIC": str(traffic.folder()), "REPLAYED": f"{bug.wire} {bug.provider}"}
    run = subprocess.run(
        command, cwd=place, env={**os.environ, **given}, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    assert run.returncode in (0, _FAILED), f"{bug.name} does not run: {run.stdout[-2000:]}{run.stderr[-500:]}"
    return run.returncode == _FAILED
