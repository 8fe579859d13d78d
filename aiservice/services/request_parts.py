"""Where in a long ledger requests of a scope may be: the roll-ups name the hours that hold them, and only those are
read (see `store/request_log.py`)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from aiservice.kit.clock import HOUR_US
from aiservice.store import request_log as store
from aiservice.store.session import AsyncSession
from aiservice.store.usage import Scope

FOREVER_US = 2**62
_FIRST_HOURS = 6  # how many hours of what is sought are looked at first; four times as many each time after that
_FEW_KEYS = 6  # an hour
_Keys = frozenset[tuple[str, str]]  # (client id, key id)


async def parts(
    session: AsyncSession, scope: Scope, ending: store.Ending, span: tuple[int, int], cut: store.Cut
) -> AsyncIterator[tuple[Scope, tuple[int, int]]]:
    """Where requests of the scope may be, from the cut's place on: ranges, and the scope narrowed to whose they are in
    each; newest first, or oldest first where newer ones are asked for.

    One range, where everything is asked for or what an index of its own finds.
    """
    start_us, end_us = span
    if cut.place is not None and cut.is_newer:
        start_us = max(start_us, cut.place.started_us)
    elif cut.place is not None:
        end_us = min(end_us, cut.place.started_us + 1)
    if ending.is_rare or (not scope.filters and scope.client_ids is None):
        yield scope, (start_us, end_us)
        return
    low, high, count = start_us // HOUR_US * HOUR_US, (end_us - 1) // HOUR_US * HOUR_US, _FIRST_HOURS
    in_doubt = await store.hours_in_doubt(session, low, high)
    while high >= low:
        found = await store.hours_with(session, scope, (low, high), count, is_oldest=cut.is_newer)
        first, last = low, high  # what the hours that were found are all of
        if len(found) == count and cut.is_newer:
            last = found[-1]
        elif len(found) == count:
            first = found[-1]
        doubtful = {hour: None for hour in in_doubt if first <= hour <= last}
        runs = _runs({**await _keys(session, scope, found), **doubtful})
        for keys, begins, ends in reversed(runs) if cut.is_newer else runs:
            yield _of_keys(scope, keys), (max(begins, start_us), min(ends + HOUR_US, end_us))
        low, high, count = (last + HOUR_US, high, count * 4) if cut.is_newer else (low, first - HOUR_US, count * 4)


async def _keys(session: AsyncSession, scope: Scope, hours: list[int]) -> dict[int, _Keys | None]:
    """Whose requests the hours hold, where that is worth asking: few in many."""
    if hours and not {"client_id", "key_id"} & {name for name, _ in scope.filters}:
        found = await store.keys_in(session, scope, hours, _FEW_KEYS * len(hours))
        if found is not None:
            return {**found}
    return dict.fromkeys(hours)


def _runs(hours: Mapping[int, _Keys | None]) -> list[tuple[_Keys | None, int, int]]:
    """Consecutive hours of the same keys as (keys, first, last), newest first."""
    runs: list[tuple[_Keys | None, int, int]] = []
    for hour in sorted(hours, reverse=True):
        if runs and runs[-1][1] == hour + HOUR_US and runs[-1][0] == hours[hour]:
            runs[-1] = (hours[hour], hour, runs[-1][2])
        else:
            runs.append((hours[hour], hour, hour))
    return runs


def _of_keys(scope: Scope, keys: _Keys | None) -> Scope:
    if keys is None:
        return scope
    clients, ids = {client for client, _ in keys}, {key for _, key in keys}
    return replace(scope, client_ids=tuple(sorted(clients)), chosen=(("key_id", tuple(sorted(ids))),))
