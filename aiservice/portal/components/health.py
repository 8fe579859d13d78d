"""How provider connections do: how often and how fast they answered in the last 15 minutes, and who is left alone."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, empty, state_badge, table_row
from aiservice.portal.words import error_words

HEADS = ["Provider", "State", "Answered", "First byte", "Last failure"]
_MOST_FAILED = 0.5


class HealthRow(TypedDict):
    """One connection. `bars` are levels of ten seconds each, newest last: "none", "good", "some" or "bad"."""

    provider: str
    kind: str
    state: str
    state_kind: str
    why: str
    answered: str
    detail: str
    bars: list[str]
    usual: str
    slow: str
    error: str
    error_words: str


def rows_of(seen: dict[str, Any], connections: list[tuple[str, str, str]]) -> list[HealthRow]:
    """The rows for what `services.health_views.seen` gives, of connections as (id, name, kind); those that were not
    asked in the last five minutes have none."""
    found = [(seen[row_id], name, kind) for row_id, name, kind in connections if row_id in seen]
    return [row_of(one, name, kind) for one, name, kind in found if _has_news(one)]


def _has_news(one: dict[str, Any]) -> bool:
    return bool(one["attempts"] or one["breaker"] or one["models"] or any(map(any, one["bars"])))


def row_of(one: dict[str, Any], name: str, kind: str) -> HealthRow:
    """What is seen of one connection, or of one of its keys."""
    state, state_kind, why = _state(one)
    last = one["last_error"]
    attempts = one["attempts"]
    return HealthRow(
        provider=name,
        kind=kind,
        state=state,
        state_kind=state_kind,
        why=why,
        answered="not asked" if one["success_rate"] is None else f"{_percent(one['success_rate'])} of {attempts:,}",
        detail=f"{one['waiting']:,} waiting now" if one["waiting"] else "in 5 minutes; bars: 10 s each",
        bars=[_level(good, bad) for good, bad in one["bars"]],
        usual="none yet" if one["p50_ms"] is None else f"{_wait(one['p50_ms'])} usual (p50)",
        slow="" if one["p95_ms"] is None else f"{_wait(one['p95_ms'])} slow (p95)",
        error="none" if last is None else f"{last['code']}, {_ago(last['seconds_ago'])}",
        error_words="" if last is None else error_words(last["code"], 0),
    )


def _state(one: dict[str, Any]) -> tuple[str, str, str]:
    breaker = one["breaker"]
    if breaker is not None:
        wait = breaker["next_try_seconds"]
        again = f"tried again in {wait:.0f} s" if wait >= 1 else "the next request tries it"
        return "left alone", "bad", f"{breaker['why']}{_count(breaker)}; {again}"
    if one["models"]:
        model, first = next(iter(one["models"].items()))
        more = f" and {len(one['models']) - 1} more" if len(one["models"]) > 1 else ""
        which = model or "all models"
        return "in part left alone", "warn", f"{which}{more}: {first['why']}"
    if one["bars"] and any(_level(good, bad) == "bad" for good, bad in one["bars"][-3:]):
        return "failing", "warn", ""
    return "answers", "good", ""


def _count(breaker: dict[str, Any]) -> str:
    """How often in how long before it was left alone: ` (5 × 503 in 3 s)`."""
    if not breaker.get("failures"):
        return ""
    seconds = f"{breaker['failing_seconds']:.0f} s" if breaker["failing_seconds"] >= 1 else "less than a second"
    return f" ({breaker['failures']} × {breaker['status'] or breaker['code']} in {seconds})"


def _level(good: int, bad: int) -> str:
    if not good and not bad:
        return "none"
    if not bad:
        return "good"
    return "bad" if bad / (good + bad) >= _MOST_FAILED else "some"


def _percent(part: float) -> str:
    return "100%" if part == 1 else f"{min(part * 100, 99.9):.1f}%"


def _wait(milliseconds: int) -> str:
    return f"{milliseconds:,} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:,.1f} s"


def _ago(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 3_600 else f"{seconds // 3_600} h ago"


def health_table(rows: Any) -> rx.Component:
    """The rows, or when there will be some."""
    return rx.cond(
        rows.length() > 0,
        data_table(HEADS, rx.foreach(rows, _line), caption="How providers do"),
        empty(
            "Nobody was asked in the last quarter of an hour",
            "With the next request, or a test of a connection above, its answers and failures are counted here.",
        ),
    )


def _line(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["provider"], class_name="block font-medium"),
            rx.el.span(row["kind"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(
            state_badge(row["state"], row["state_kind"]),
            rx.el.span(row["why"], class_name=f"mt-1 block text-xs wrap-anywhere empty:hidden {theme.MUTED}"),
        ),
        cell(
            rx.el.span(row["answered"], class_name="block text-xs tabular-nums"),
            bars_of(row),
            rx.el.span(row["detail"], class_name=f"mt-1 block text-xs {theme.MUTED}"),
        ),
        cell(
            rx.el.span(row["usual"], class_name="block text-xs tabular-nums whitespace-nowrap"),
            rx.el.span(row["slow"], class_name=f"block text-xs tabular-nums whitespace-nowrap {theme.MUTED}"),
        ),
        cell(
            rx.el.span(row["error"], class_name="block font-mono text-xs wrap-anywhere"),
            rx.el.span(row["error_words"], class_name=f"block text-xs empty:hidden {theme.MUTED}"),
        ),
    )


def bars_of(row: Any) -> rx.Component:
    """Ninety times ten seconds, the newest at the right; what they say stands beside them in words."""
    return rx.el.div(
        rx.foreach(row["bars"], _bar),
        class_name="mt-1 flex h-5 w-56 max-w-full items-end gap-px",
        custom_attrs={"aria-hidden": "true"},
    )


def _bar(level: Any) -> rx.Component:
    return rx.el.span(
        class_name=rx.match(
            level,
            ("good", theme.HEALTH_BARS["good"]),
            ("some", theme.HEALTH_BARS["some"]),
            ("bad", theme.HEALTH_BARS["bad"]),
            theme.HEALTH_BARS["none"],
        )
    )
