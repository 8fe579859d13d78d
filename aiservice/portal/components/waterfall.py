"""The attempts of a request as a table with bars: when each began, what it took, how it ended, why it was tried."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.money import to_usd_text
from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row
from aiservice.portal.components.requests import cost_text, is_good, milliseconds
from aiservice.portal.words import error_words

_FREE = frozenset({"hit", "coalesced"})


class Step(TypedDict):
    """One line of the waterfall; `left` and `width` are CSS percentages of the whole time."""

    name: str
    detail: str
    result: str
    kind: str
    reason: str
    words: str
    cost: str
    began: str
    took: str
    left: str
    width: str


def steps_of(entry: Any) -> list[Step]:
    """The attempts of a ledger entry in order, each where it lies in the whole time, and the rest of a stream.

    An attempt's time ends with its answer, a stream's with the first event. Entries from before offsets were kept have
    their attempts one after another.
    """
    total_ms = max((entry.ended_us - entry.started_us) / 1000, 0.001)
    steps, at_ms = [_before(entry, total_ms)], 0.0
    if not entry.attempts and entry.cache in _FREE:
        steps.append(_from_cache(entry, total_ms))
    for number, attempt in enumerate(entry.attempts, start=1):
        start_ms, took_ms = float(attempt.get("start_ms", at_ms)), float(attempt.get("ms", 0))
        at_ms = start_ms + took_ms
        is_last = number == len(entry.attempts)
        left, width = _bar(start_ms, took_ms, total_ms)
        code, status = attempt.get("code"), int(attempt.get("status") or 0)
        steps.append(
            Step(
                name=f"Attempt {number}: {attempt.get('provider', '')}",
                detail=str(attempt.get("model", "")),
                result=str(status) if code is None else f"{status or 'no answer'} {code}",
                kind="good" if code is None else "bad",
                reason=str(attempt.get("reason", "")),
                words=error_words(code, status) if code is not None else "",
                cost=_cost_of(entry, attempt, is_last=is_last),
                began=f"+{start_ms:,.0f} ms",
                took=_whole(took_ms),
                left=left,
                width=width,
            )
        )
    if entry.is_stream and entry.first_byte_us is not None and entry.attempts:
        start_ms = (entry.first_byte_us - entry.started_us) / 1000
        left, width = _bar(start_ms, total_ms - start_ms, total_ms)
        steps.append(
            Step(
                name="Stream",
                detail="from the first byte to the last",
                result=entry.outcome.replace("_", " "),
                kind="good" if is_good(entry) else "bad",
                reason="",
                words="",
                cost="",
                began=f"+{milliseconds(start_ms)}",
                took=milliseconds(total_ms - start_ms),
                left=left,
                width=width,
            )
        )
    return steps


def _cost_of(entry: Any, attempt: dict[str, Any], *, is_last: bool) -> str:
    """What its provider takes for it, where that is kept by attempt; else what the answer was billed."""
    if (own := attempt.get("cost_nano_usd")) is not None:
        return f"${to_usd_text(own)}"
    return cost_text(entry) if is_last and entry.outcome != "failed" else "nothing billed"


def _from_cache(entry: Any, total_ms: float) -> Step:
    """What a request was given that no provider was asked for."""
    is_kept = entry.cache == "hit"
    left, width = _bar(total_ms, 0, total_ms)
    return Step(
        name="Cache",
        detail="an answer that was kept" if is_kept else "the answer of the same request, under way",
        result=entry.cache,
        kind="good",
        reason="",
        words="",
        cost="nothing billed",
        began="",
        took="",
        left=left,
        width=width,
    )


def _before(entry: Any, total_ms: float) -> Step:
    """What the broker did before anybody was asked; without an attempt, all there was."""
    took_ms = float(entry.attempts[0].get("start_ms", 0)) if entry.attempts else total_ms
    cache = f"cache ({entry.cache})" if entry.cache else "cache (no part)"
    left, width = _bar(0, took_ms, total_ms)
    return Step(
        name="Broker",
        detail=f"authentication, limits, {cache}, choice",
        result="",
        kind="plain",
        reason="",
        words="",
        cost="",
        began="+0 ms",
        took=_whole(took_ms) if entry.attempts else milliseconds(took_ms),
        left=left,
        width=width,
    )


def _whole(took_ms: float) -> str:
    """A time that is kept in whole milliseconds only, so that no decimals are made up."""
    return f"{took_ms:,.0f} ms" if took_ms >= 1 else "< 1 ms"


def _bar(start_ms: float, took_ms: float, total_ms: float) -> tuple[str, str]:
    """Where a bar begins and how wide it is; what takes next to nothing is still seen."""
    left = min(max(start_ms / total_ms, 0), 0.995)
    return f"{left:.2%}", f"{min(max(took_ms / total_ms, 0.005), 1 - left):.2%}"


_BAR = "absolute h-full min-w-1 rounded"
HEADS = ["Step", "Result", "Why it was tried", "Began", "Took", "Cost", "In the whole"]


def waterfall(steps: Any) -> rx.Component:
    """The table of `steps`, a Var of what `steps_of` gives."""
    return data_table(HEADS, rx.foreach(steps, _step), caption="Attempts in order")


def _step(step: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.div(
                rx.el.span(step["name"], class_name="block font-medium sm:min-w-36"),
                rx.el.span(step["detail"], class_name=f"block break-words text-xs {theme.MUTED}"),
            )
        ),
        cell(
            rx.cond(
                step["result"] != "",
                rx.el.div(
                    state_badge(step["result"], step["kind"]),
                    rx.cond(
                        step["words"] != "",
                        rx.el.span(step["words"], class_name=f"mt-1 block max-w-64 text-xs {theme.MUTED}"),
                    ),
                ),
            )
        ),
        cell(rx.cond(step["reason"] != "", rx.el.span(step["reason"], class_name="sm:min-w-24"))),
        cell(step["began"], class_name="whitespace-nowrap tabular-nums"),
        cell(step["took"], class_name="whitespace-nowrap tabular-nums"),
        cell(step["cost"], class_name="whitespace-nowrap tabular-nums"),
        cell(
            rx.el.div(
                rx.el.div(
                    class_name=rx.match(
                        step["kind"],
                        ("good", f"{_BAR} bg-indigo-600 dark:bg-indigo-400"),
                        ("bad", f"{_BAR} bg-red-600 dark:bg-red-400"),
                        f"{_BAR} bg-slate-500 dark:bg-slate-400",
                    ),
                    style={"left": step["left"], "width": step["width"]},
                ),
                class_name="relative h-3 w-full min-w-32 rounded bg-slate-200 dark:bg-slate-800",
                custom_attrs={"aria-hidden": "true"},
            ),
            class_name="w-1/3",
        ),
    )
