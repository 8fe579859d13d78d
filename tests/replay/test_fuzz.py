"""Every parser is given recordings made wrong: no exception but a refusal, no long turn of the loop, no heap of memory.

A second of each in the default tier, ten minutes in all under `--long`. Time is the thread's own (CPU): what else the
machine does is none of a parser's. Each call of each parser is timed alone, with what the collector of garbage took of
it. That a compressed chunk is never unpacked is told in `tests/upstream`; what is made to be slow, in `test_worst.py`.
"""

import re
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from aiservice.dialects import ai_service
from aiservice.providers._base import Provider
from aiservice.providers.anthropic import PROVIDER as ANTHROPIC
from aiservice.providers.bedrock import PROVIDER as BEDROCK
from aiservice.providers.cohere import PROVIDER as COHERE
from aiservice.providers.gemini import PROVIDER as GEMINI
from aiservice.providers.gemini_interactions import PROVIDER as INTERACTIONS
from aiservice.providers.ollama import PROVIDER as OLLAMA
from aiservice.providers.openai import PROVIDER as OPENAI
from aiservice.wire import Ask, EventKind
from tests.harness.evidence import Evidence
from tests.harness.process import ROOT
from tests.replay import fuzzing, traffic
from tests.replay.fuzzing import CHUNK_BYTES
from tests.replay.timing import Stopwatch

_LONG_SECONDS, _SHORT_SECONDS = 300, 1
_LED_SECONDS = 240
_MAX_TURN_MS = 50
_MAX_GROWTH_KIB = 200 * 1024
_POURED_BYTES = 64 * 1024 * 1024
_HELD_KIB = 40 * 1024


@pytest.mark.parametrize("whose", ["vendors", "clients"])
def test_whatever_comes_is_an_answer_or_a_refusal(whose: str, seed: int, evidence: Evidence) -> None:
    if traffic.folder() is None:
        pytest.skip("no recorded traffic: set RECORDED_TRAFFIC to its folder, or lay it at ../shared/traffic")
    assert fuzzing.samples()
    assert fuzzing.requests()
    ai_service.prepare()
    random, faults, watch = Random(seed), Counter[str](), Stopwatch()
    run = _vendors if whose == "vendors" else _clients
    before, tries = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    end = time.monotonic() + (_SHORT_SECONDS if evidence.folder is None else _LONG_SECONDS)
    with watch.watching():
        while time.monotonic() < end:
            tries += 1
            try:
                run(random, watch)
            except Exception as exc:  # noqa: BLE001 - any is a fault, and the run goes on to find the others
                faults[f"{type(exc).__name__} at {_place_of(exc)} of {watch.given}"] += 1
    growth_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print("\n" + "\n".join(watch.table()))
    evidence.note(
        tries=tries, faults=dict(faults.most_common(20)), calls_worst_ms_and_the_collectors=watch.figures(),
        growth_mib=growth_kib // 1024,
    )  # fmt: skip
    assert not faults, "\n".join(f"{count} {fault}" for fault, count in faults.most_common(20))
    assert growth_kib < _MAX_GROWTH_KIB
    over = {name: worst for name, worst in watch.worst.items() if worst.ms > _MAX_TURN_MS}
    assert not over, "each parser alone, each call"


@pytest.mark.long
def test_fuzzing_that_is_led_by_what_it_reaches_finds_no_fault_either(tmp_path: Path, evidence: Evidence) -> None:
    if traffic.folder() is None:
        pytest.skip("no recorded traffic: set RECORDED_TRAFFIC to its folder, or lay it at ../shared/traffic")
    pytest.importorskip("atheris", reason="Atheris has no wheel for this Python and machine")
    limits = (f"-max_total_time={_LED_SECONDS}", "-max_len=32768", "-timeout=10", "-rss_limit_mb=1024")
    program = [sys.executable, "-m", "tests.replay.covered", str(tmp_path / "inputs"), *limits]
    program += ["-print_final_stats=1", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=3 * _LED_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    reached = re.findall(r"DONE +cov: (\d+) ft: (\d+) corp: (\d+)", done.stdout)[-1]
    said = dict(re.findall(r"stat::(\w+): +(\d+)", done.stdout))
    evidence.note(
        inputs=int(said["number_of_executed_units"]), places_reached=int(reached[0]), kept_inputs=int(reached[2]),
        slowest_seconds=int(said["slowest_unit_time_sec"]), most_memory_mib=int(said["peak_rss_mb"]),
    )  # fmt: skip


def _vendors(random: Random, watch: Stopwatch) -> None:
    fuzzing.put_to_vendors_parsers(random, random.choice(fuzzing.samples()), watch)


def _clients(random: Random, watch: Stopwatch) -> None:
    fuzzing.put_to_clients_parsers(random, random.choice(fuzzing.requests()), watch)


def _place_of(exc: BaseException) -> str:
    trace = exc.__traceback__
    place = "?"
    while trace is not None:
        if "aiservice" in trace.tb_frame.f_code.co_filename:
            place = f"{trace.tb_frame.f_code.co_filename.rpartition('aiservice/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


_READERS = (OPENAI, ANTHROPIC, GEMINI, INTERACTIONS, COHERE, OLLAMA, BEDROCK)


@pytest.mark.parametrize("provider", _READERS, ids=lambda one: one.kind)
def test_an_event_that_never_ends_is_a_failure_and_never_held_whole(provider: Provider) -> None:
    model = {"bedrock": "amazon.nova-lite-v1:0", "gemini": "gemini-2.5-flash"}.get(provider.kind, "m-1")
    model = "gemini-2.5-flash" if provider is INTERACTIONS else model
    ask = Ask("chat", "chat", {"messages": [{"role": "user", "content": "hi"}]}, is_stream=True)
    reader = provider.reader(ask, provider.build(ask, model))
    before, slowest_ms, has_failed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0, False
    chunk = b"a" * CHUNK_BYTES
    reader.feed(b"data: ")
    for _ in range(_POURED_BYTES // CHUNK_BYTES):
        began = time.thread_time()
        events = reader.feed(chunk)
        slowest_ms = max(slowest_ms, (time.thread_time() - began) * 1000)
        has_failed = has_failed or any(event.kind is EventKind.ERROR for event in events)
    assert has_failed
    assert slowest_ms < _MAX_TURN_MS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _HELD_KIB
