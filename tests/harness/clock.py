"""The clock of this process, put forward: what ends with time is waited for by no test."""

import time

import pytest


def move_on(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """From now on it is so much later by the wall clock. The monotonic one, and so every timer, goes on as before."""
    time_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: time_ns() + seconds * 1_000_000_000)
    monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1_000_000_000)
