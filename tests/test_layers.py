"""The direction of imports (.importlinter), as a test: a new folder must be given its place."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_every_import_keeps_its_direction(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    status = lint_imports(config_filename=".importlinter", no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out
