"""One step of load on a target: wrk or the stream client on core 1, the target's CPU before and after."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.fixtures import PATHS, Wire, answer_body, messages_body, request_body
from tests.bench.targets import LOAD_CORE, TARGET_CORE, Target
from tests.harness.databases import NotInstalled
from tests.harness.process import ROOT

_LUA = Path(__file__).with_name("spread_keys.lua")


class BadAnswer(Exception):
    """A target answered something else than the mock said, or a step had errors: its figures would mean nothing."""


@dataclass(slots=True, frozen=True)
class Step:
    """Figures of one step. Times of streams are to the first streamed byte.

    `others_percent` is how much of the target's core went to anything else meanwhile, the machine's host included: over
    a few percent, latency and requests per second say more about that than about the target.
    """

    load: str
    connections: int
    finished: int
    errors: int
    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    others_percent: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class _Cost:
    """The target's CPU since its making, and what else ran on its core."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._cpu_us = target.cpu_us()
        self._core_us = _core_busy_us()
        self._started = time.perf_counter()

    def so_far(self) -> tuple[int, float]:
        """The target's CPU in microseconds, and the percentage of its core's time that others had."""
        cpu_us = self._target.cpu_us() - self._cpu_us
        others_us = max(_core_busy_us() - self._core_us - cpu_us, 0)
        return cpu_us, others_us / (time.perf_counter() - self._started) / 1e4


def _core_busy_us() -> int:
    """Time the target's core was not idle, and time the host took from it (proc(5): the first eight fields of cpuN)."""
    name = f"cpu{TARGET_CORE} "
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(name))
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) * 1_000_000 // os.sysconf("SC_CLK_TCK")


def _body(target: Target, wire: Wire) -> bytes:
    return (request_body if wire == "chat" else messages_body)(model=target.whole_model)


def check_sample(target: Target, wire: Wire = "chat") -> None:
    """Reads one whole answer.

    Raises:
        BadAnswer: it is not a 200 with the mock's own text.
    """
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.whole_port}{PATHS[wire]}",
        data=_body(target, wire),
        headers={"authorization": f"Bearer {target.keys[0]}", "content-type": "application/json"},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            status, body = answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        raise BadAnswer(f"{target.name}: {error.code} {error.read()[:300]!r}") from error
    expected = json.loads(answer_body())["choices"][0]["message"]["content"]
    said = body["choices"][0]["message"]["content"] if wire == "chat" else body["content"][0]["text"]
    if status != 200 or said != expected:
        raise BadAnswer(f"{target.name}: {status} {body}")


def run_whole(
    target: Target, folder: Path, *, connections: int, seconds: float, load: str = "whole", wire: Wire = "chat"
) -> Step:
    """wrk with one thread; requests spread over the target's keys, from where the last step stopped."""
    program = shutil.which("wrk")
    if program is None:
        raise NotInstalled("wrk (apt-get install wrk)")
    check_sample(target, wire)
    keys, body = folder / "keys.txt", folder / "body.json"
    keys.write_text("\n".join(target.keys) + "\n")
    body.write_bytes(_body(target, wire))
    command = [program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s", "-s", str(_LUA)]
    command.append(f"http://127.0.0.1:{target.whole_port}{PATHS[wire]}")
    cost = _Cost(target)
    extra = {"BENCH_KEYS": str(keys), "BENCH_BODY": str(body), "BENCH_TURN": str(target.turn)}
    extra |= {"BENCH_CACHE_CONTROL": target.cache_control, "BENCH_PER_SECOND": str(target.per_second)}
    done = _run_on_load_core(command, extra, seconds)
    cpu, others = cost.so_far()
    result = json.loads(next(line for line in done.splitlines() if line.startswith("RESULT "))[7:])
    target.turn = (target.turn + int(result["requests"])) % len(target.keys)
    return _checked(
        target,
        Step(
            load,
            connections,
            result["requests"],
            result["errors"],
            result["requests"] / result["seconds"],
            cpu / max(result["requests"], 1),
            result["p50_ms"],
            result["p99_ms"],
            others,
        ),
        done,
    )


def run_streams(target: Target, *, connections: int, seconds: float, wait_ms: int, wire: Wire = "chat") -> Step:
    """The stream client; every stream that begins is read to its end."""
    command = [sys.executable, "-m", "tests.bench.streams", "--port", str(target.stream_port), "--key", target.keys[0]]
    command += ["--model", target.stream_model, "--connections", str(connections), "--seconds", f"{seconds:g}"]
    command += ["--cache-control", target.cache_control]
    cost = _Cost(target)
    done = _run_on_load_core([*command, "--wait-ms", str(wait_ms), "--wire", wire], {}, seconds)
    cpu, others = cost.so_far()
    result = json.loads(done)
    return _checked(
        target,
        Step(
            ("stream" if wire == "chat" else f"stream, {wire}") + (f", {wait_ms} ms a word" if wait_ms else ""),
            connections,
            result["finished"],
            result["errors"],
            result["per_second"],
            cpu / max(result["finished"], 1),
            result["first_byte_p50_ms"],
            result["first_byte_p99_ms"],
            others,
        ),
        done,
    )


def _run_on_load_core(command: list[str], extra: dict[str, str], seconds: float) -> str:
    done = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), *command],
        env={**os.environ, **extra},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
    )
    if done.returncode != 0:
        raise BadAnswer(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def _checked(target: Target, step: Step, output: str) -> Step:
    if step.errors or not step.finished:
        raise BadAnswer(f"{target.name}: {step.errors} errors, {step.finished} finished in {step}: {output[-1000:]}")
    return step
