"""The providers' own limits as this worker knows them, one lane for each connection and model.

Each worker learns for itself: refusals and headers are about all that an account does, so each finds the part that is
its own. Only what an admin configured is divided among the living workers. A connection with configured limits has
one lane for all its models, since they are the account's. Fails open.
"""

import time
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from aiservice.principal import Person
from aiservice.services.board import Board
from aiservice.services.candidates import Candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.quota_lane import Lane
from aiservice.services.quota_notes import SECOND_US
from aiservice.services.rights import require

_MOST_LANES = 2_000  # a client may name any model, where a connection takes any
_TIDY_US = 60 * SECOND_US

Json = dict[str, Any]


class Quotas:
    """All lanes of one worker. `sharers` is how many workers share what is configured."""

    def __init__(self, clock: Callable[[], int] | None = None, window_us: int = 60 * SECOND_US) -> None:
        self.now: Callable[[], int] = clock or _now
        self.sharers: Callable[[], int] = lambda: 1
        self.window_us = window_us
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._names: dict[tuple[str, str], tuple[ConnectionView, str]] = {}
        self._tidy_us = 0
        self.at_hand: dict[Candidate, Lane] = {}
        """The lanes of places that were asked for lately: for whoever asks all the time."""

    def lane_of(self, candidate: Candidate, now: int) -> Lane:
        """The lane of a place; from now on it is `at_hand`."""
        found = self.at_hand.get(candidate)
        if found is not None and now < found.looked_after_until:
            return found
        found = self.lane(candidate.connection, candidate.model, now)
        found.looked_after_until = now + SECOND_US  # what is configured changes with how many share it
        if len(self.at_hand) >= _MOST_LANES:
            self.at_hand.clear()
        self.at_hand[candidate] = found
        return found

    def lane(self, view: ConnectionView, model: str, now: int) -> Lane:
        """The lane of a connection and model; a new one knows nothing and lets everything through."""
        rpm, tpm = view.rpm, view.tpm
        key = (view.id, "" if rpm or tpm else model)
        lane = self._lanes.get(key)
        if lane is None or self._names[key][0].revision != view.revision:  # another key or address has other limits
            if len(self._lanes) >= _MOST_LANES:
                self._sweep()
            lane = self._lanes[key] = Lane(self.window_us, clock=self.now)
            self._names[key] = (view, key[1])
        elif now - self._tidy_us > _TIDY_US:
            self._tidy_us = now
            for each in self._lanes.values():
                each.forget_old(now)
        if rpm or tpm:
            configured = (rpm, tpm, self.sharers())
            if lane.configured != configured:
                lane.configure(*configured)
        return lane

    def share_left(self, view: ConnectionView, model: str) -> float:
        """Which part of the provider's limits is left, 0.0 to 1.0; 1.0 where none is known."""
        lane = self._lanes.get((view.id, "" if view.rpm or view.tpm else model))
        return 1.0 if lane is None else lane.share_left(self.now())

    def said(self) -> list[Json]:
        """What is known of every lane of which something is, as JSON holds it. May be called in any thread."""
        now = self.now()
        return [
            {"connection_id": key[0], "provider": view.name, "model": model, **picture(lane, now)}
            for key, lane in list(self._lanes.items())
            if not lane.is_free
            for view, model in (self._names[key],)
        ]

    def shares_of(self, client_id: str, weight: float, may_use: Callable[[ConnectionView], bool]) -> list[Json]:
        """What is known of the lanes a client may use, with its fair share of each."""
        now = self.now()
        found = []
        for key, lane in self._lanes.items():
            view, model = self._names[key]
            if not lane.is_free and may_use(view):
                part = lane.queue.part(client_id, weight)
                told = picture(lane, now)
                for limit in told["limits"]:
                    limit["fair_share"] = int(limit["limit"] * part)
                told["your_requests_waiting"] = lane.queue.clients_waiting.get(client_id, 0)
                found.append({"provider": view.name, "model": model or None, "fair_part": round(part, 4), **told})
        return found

    def used_up(self, longer_than_seconds: float) -> list[Json]:
        """The connections and models of which nothing is given for longer than that: since then, or from now on."""
        now, long_us = self.now(), int(longer_than_seconds * SECOND_US)
        return [
            {"connection": self._names[key][0].name, "model": key[1] or None, "seconds_to_come": left_us // SECOND_US}
            for key, lane in list(self._lanes.items())
            for left_us in (max(0, lane.hold_us - now),)
            if left_us > long_us or now - lane.trouble_since(now) > long_us
        ]

    def forget(self) -> None:
        """Begins anew, as if no reply had told of a limit."""
        self.at_hand.clear()
        self._lanes.clear()
        self._names.clear()

    def _sweep(self) -> None:
        self.at_hand.clear()
        idle = [key for key, lane in self._lanes.items() if lane.is_free and not lane.queue.waiting]
        for key in idle:
            del self._lanes[key], self._names[key]


def picture(lane: Lane, now: int) -> Json:
    """One lane: its limits, what this worker has used of each, who waits, and when calls go again."""
    lane_limits = [
        {
            "measure": bound.measure,
            "window_seconds": lane.window_us // SECOND_US,
            "limit": int(bound.limit),
            "source": bound.source,
            "used": lane.used[bound.place],
            "used_by_others": int(bound.used_by_others(now)),
        }
        for bound in list(lane.bounds)
        if bound.limit < inf
    ]
    return {
        "limits": lane_limits,
        "waiting": lane.queue.waiting,
        "refusals": lane.refusals,
        "held_seconds": round(max(0, lane.hold_us - now) / SECOND_US, 1),
        "is_in_trouble": lane.is_in_trouble,
    }


def seen(actor: Person, board: Board) -> list[Json]:
    """What all workers over this data folder know, as one.

    Raises:
        PermissionDenied: the actor is no admin.
    """
    require(actor, "connection.quota")
    return merged(one for figures in board.everywhere() for one in figures.get("quotas", ()))


def merged(said: Iterable[Json]) -> list[Json]:
    """The pictures of several workers as one: what each may use, has used and has waiting adds up; what a provider told
    is the account's, and the same for all."""
    lanes: dict[tuple[str, str], Json] = {}
    for one in said:
        key = (one["connection_id"], one["model"])
        known = lanes.get(key)
        if known is None:
            lanes[key] = {**one, "limits": [dict(limit) for limit in one["limits"]]}
            continue
        known["waiting"] += one["waiting"]
        known["refusals"] += one["refusals"]
        known["held_seconds"] = max(known["held_seconds"], one["held_seconds"])
        known["is_in_trouble"] |= one["is_in_trouble"]
        for limit in one["limits"]:
            same = next((known_one for known_one in known["limits"] if known_one["measure"] == limit["measure"]), None)
            if same is None:
                known["limits"].append(dict(limit))
                continue
            same["used"] += limit["used"]
            if "told" in (same["source"], limit["source"]):
                same["limit"], same["source"] = max(same["limit"], limit["limit"]), "told"
            else:
                same["limit"] += limit["limit"]
    return list(lanes.values())


def _now() -> int:
    return time.monotonic_ns() // 1_000
