"""`provider set-probe`: how often a connection is asked whether it is there."""

from tests.commands.conftest import Console


def test_it_is_said_taken_back_and_shown(console: Console) -> None:
    said = console.json("provider", "set-probe", "sandbox", "--every", "5m")
    assert said["probe_every_seconds"] == 300
    assert "is never probed" in console("provider", "set-probe", "sandbox", "--every", "0").out
    [row] = console.json("provider", "list")
    assert row["probe_every_seconds"] == 0
    assert console.json("provider", "set-probe", "sandbox", "--default")["probe_every_seconds"] is None


def test_what_is_no_interval_is_refused(console: Console) -> None:
    assert "--every or --default" in console("provider", "set-probe", "sandbox", status=2).err
    assert "--every:" in console("provider", "set-probe", "sandbox", "--every", "soon", status=2).err
    assert "every 10 to 86400 seconds" in console("provider", "set-probe", "sandbox", "--every", "1s", status=1).err
