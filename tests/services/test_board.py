"""The board: one worker answers for all of its server, the dead ones' counters included."""

import os
import time
from pathlib import Path

import pytest

from aiservice.services.board import Board, Said


def board(folder: Path, worker: str, node: str = "nod_1", **figures: object) -> Board:
    place = Board(folder, node, worker)
    place.open()
    for name, value in figures.items():
        place.show(name, lambda value=value: value)  # type: ignore[misc]
    place._write()
    return place


def said_by(place: Board) -> list[tuple[object, bool]]:
    return [(said.figures["count"], said.is_alive) for said in place.everybody()]


def test_a_worker_knows_what_the_others_said(tmp_path: Path) -> None:
    here, there = board(tmp_path, "wrk_1", count=1), board(tmp_path, "wrk_2", count=2)
    assert said_by(here) == [(1, True), (2, True)]
    assert said_by(there) == [(2, True), (1, True)]


def test_a_dead_workers_counters_stay_until_its_server_is_gone(tmp_path: Path) -> None:
    here, dead = board(tmp_path, "wrk_1", count=1), board(tmp_path, "wrk_2", count=2)
    dead.close()
    assert said_by(here) == [(1, True), (2, False)]
    next_server = board(tmp_path, "wrk_3", "nod_2", count=3)
    assert said_by(next_server) == [(3, True)]
    assert said_by(here) == [(1, True), (2, False)], "that server is alive"
    here.close()
    board(tmp_path, "wrk_4", "nod_3", count=4)
    assert not (tmp_path / "nod_1").exists()


@pytest.mark.parametrize("how", ["silent", "blocked"])
def test_r21_a_worker_that_stands_still_for_ten_seconds_is_no_secret(tmp_path: Path, how: str) -> None:
    here, other = board(tmp_path, "wrk_1", count=1), board(tmp_path, "wrk_2", count=2)
    was_stalled_before = here.is_any_stalled
    if how == "silent":
        os.utime(tmp_path / "nod_1" / "wrk_2.json", (time.time() - 11,) * 2)
    else:
        other.watch._due = time.monotonic() - 11
        other._write()
    is_stalled = here.is_any_stalled
    other.close()
    assert (was_stalled_before, is_stalled, here.is_any_stalled) == (False, True, False), "the dead hold nobody up"


def test_a_torn_file_is_left_out(tmp_path: Path) -> None:
    here = board(tmp_path, "wrk_1", count=1)
    board(tmp_path, "wrk_2", count=2)
    (tmp_path / "nod_1" / "wrk_2.json").write_bytes(b'{"count": ')
    assert here.everybody() == [Said({"count": 1}, True, False)]
