"""Tiles, sparklines and the usage page's figures: what is not known is never drawn or written as 0."""

import pytest

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.portal.charts.groups import Look, drawn, legend, lines
from aiservice.portal.charts.sparks import path
from aiservice.portal.charts.tiles import tiles_of
from aiservice.portal.charts.usage_figures import figures
from aiservice.portal.charts.usage_words import change_of, text_of
from aiservice.portal.components.samples import AGENT_PROMPT, SAMPLES
from aiservice.portal.queries import UsageView
from aiservice.services.usage_day import Day
from aiservice.services.usage_metrics import METRICS
from aiservice.services.usage_series import OTHER, Group, Series
from aiservice.services.usage_sums import Sums

SOME = Sums(requests=4, errors=1, input_tokens=40, output_tokens=4, cost_nano_usd=2_000_000, fallbacks=1)


def test_a_gap_in_a_sparkline_is_a_gap_and_a_zero_is_a_line() -> None:
    assert path([]) == path([None, None]) == ""
    assert path([None, 0.0, 4.0]).count("M") == 2
    assert "v-1.0" in path([0.0, 4.0])
    assert "v-28.0" in path([0.0, 4.0])


def test_tiles_say_what_changed_and_nothing_where_nothing_was_known() -> None:
    alone = {tile["name"]: tile for tile in tiles_of(Day(SOME, None, [SOME]))}
    assert all(tile["change"] == "" for tile in alone.values())
    assert alone["Failed"]["note"] == "25.0% of requests"
    assert alone["Latency, median"]["value"] == "no data"
    compared = {tile["name"]: tile for tile in tiles_of(Day(SOME, Sums(requests=2, input_tokens=44), [SOME]))}
    assert compared["Requests"]["change"] == "+100.0% on the 24 h before"
    assert compared["Tokens"]["change"] == "as before"
    assert compared["Failed"]["is_bad"]
    assert not compared["Requests"]["is_bad"]
    assert compared["Requests"]["href"] == "/usage?range=24h&metric=requests&compare=1"


@pytest.mark.parametrize(
    ("metric", "sums", "text"),
    [
        ("cost", Sums(requests=1, unpriced=1), "unpriced"),
        ("cost", Sums(), "$0"),
        ("cost", Sums(requests=1, cost_nano_usd=1_234_567_890_123), "$1,234.57"),
        ("cost", Sums(requests=1, cost_nano_usd=12_345_678), "$0.012346"),
        ("cost", Sums(requests=1, cost_nano_usd=123), "$0.000000123"),
        ("cache_read", Sums(requests=1), "none reported"),
        ("first_p95", Sums(requests=1), "no streams"),
        ("p95", Sums(), "no data"),
        ("error_rate", SOME, "25.0%"),
        ("fallback_rate", SOME, "25.0%"),
    ],
)
def test_a_sum_is_read_at_a_glance_and_what_is_not_known_is_said_in_words(metric: str, sums: Sums, text: str) -> None:
    assert text_of(METRICS[metric], sums) == text


def test_a_change_is_said_only_where_both_are_known() -> None:
    cost = METRICS["cost"]
    assert change_of(cost, SOME, None) == ""
    assert change_of(cost, SOME, Sums()) == "new"
    assert change_of(cost, SOME, SOME) == "as before"
    assert change_of(METRICS["p95"], SOME, SOME) == ""


def test_the_table_has_every_point_of_the_chart_and_leads_to_its_requests() -> None:
    view = UsageView.of({"by": "model", "sub": "task", "from": "2026-11-27T10:00", "to": "2026-11-27T12:00"})
    at = view.start_us
    groups = [
        Group("m1", "m1", SOME, [SOME, None], "chat", "chat"),
        Group(OTHER, OTHER, SOME, [None, SOME]),
    ]
    shown = figures(view, Series("hour", [at, at + HOUR_US], groups), {"by": "model"})
    assert [head["name"] for head in shown["heads"]] == ["m1 · chat", "all others"]
    assert [head["is_linked"] for head in shown["heads"]] == [True, False]
    assert shown["heads"][0]["query"] == "&model=m1&task=chat"
    assert [line["cells"] for line in shown["lines"]] == [["no data", "4"], ["4", "no data"]]
    assert shown["lines"][1]["span"] == "from=2026-11-27T10%3A00&to=2026-11-27T11%3A00"
    assert [row["name"] for row in shown["rows"]] == ["m1 · chat", "all others", "All together"]
    assert shown["rows"][-1]["requests"] == "8"
    assert [trace["y"] for trace in shown["plot"]["data"]] == [[4.0, None], [None, 4.0]]


def test_added_up_points_rise_and_the_others_are_not_stacked() -> None:
    asked = {"by": "none", "sum": "1", "from": "2026-11-27T10:00", "to": "2026-11-27T12:00"}
    view = UsageView.of(asked)
    series = Series("hour", [view.start_us, view.start_us + HOUR_US], [Group("", "", SOME, [SOME, SOME])])
    shown = figures(view, series, asked)
    assert shown["plot"]["data"][0]["y"] == [4.0, 8.0]
    assert [line["cells"] for line in shown["lines"]] == [["8"], ["4"]]
    rates = figures(UsageView.of({**asked, "metric": "error_rate"}), series, asked)
    assert rates["plot"]["data"][0]["type"] == "scatter"
    assert "stackgroup" not in rates["plot"]["data"][0]
    assert rates["plot"]["data"][0]["y"] == [0.25, 0.25]


def test_what_is_not_kept_by_ending_is_said_and_not_drawn() -> None:
    view = UsageView.of({"by": "status", "metric": "cost", "range": "24h"})
    sums = Sums(requests=2, errors=2, unpriced=1)
    group = Group("limited", "limited", sums, [sums])
    shown = figures(view, Series("hour", [view.end_us - DAY_US], [group], is_kept=False), {})
    assert shown["rows"][0]["name"] == "over a limit (429)"
    assert shown["rows"][0]["cost"] == "not kept by ending"
    assert shown["rows"][0]["requests"] == "2"
    assert "status=429" in shown["rows"][0]["log_href"]
    assert shown["plot"]["data"][0]["y"] == [None]


def test_the_period_before_is_a_line_of_its_own() -> None:
    plot = drawn(["a"], [("x", [1.0])], Look(), [3.0])
    assert [(key["name"], key["sign"]) for key in legend(plot)] == [("x", ""), ("the period before", "")]
    assert legend(drawn(["a"], [("x", [1.0])], Look())) == []
    assert [trace["name"] for trace in plot["data"]] == ["x", "the period before"]
    assert lines(["a"], ["s"], [[None]], [["no data"]]) == []


def test_every_sample_holds_address_and_key() -> None:
    assert [sample["name"] for sample in SAMPLES] == [
        *("curl", "Python openai", "Python anthropic", "JS", "AI SDK", "LangChain", "Claude Code", "Codex"),
    ]
    for text in (*(sample["code"] for sample in SAMPLES), AGENT_PROMPT):
        assert "{{base}}" in text
        assert "{{key}}" in text


def test_a_week_by_the_hour_is_a_stepped_area_a_group_and_says_what_its_bars_would() -> None:
    hours = [f"h{number}" for number in range(169)]
    groups = [(name, [float(place)] * 169) for place, name in enumerate("abc")]
    many, few = drawn(hours, groups, Look()), drawn(hours[:24], groups, Look())
    assert [(trace["type"], trace["line"]["shape"], trace["stackgroup"]) for trace in many["data"]] == [
        ("scatter", "hvh", "one")
    ] * 3
    assert {trace["type"] for trace in few["data"]} == {"bar"}
    assert legend(many) == legend(few)
    assert [trace["y"][0] for trace in many["data"]] == [0.0, 1.0, 2.0]
