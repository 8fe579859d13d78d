#!/usr/bin/env python3
"""The one test command: `python3 tests/run.py` (default tier, at most 15 minutes) or `python3 tests/run.py --long`.

Needs Python 3.11 or newer and nothing else. It makes `.venv`, installs the pinned packages, finds or installs the
programs that some suites need, checks style, types and layers, runs the tests, and says which suites did not run, and
why. With `CI` set or `--install`, as root, it installs what is missing with apt-get. In CI a suite that still cannot
run fails the run. Up to three failures of a suite are run once more, alone; what passes then is told as `UNSTEADY`.
The last line is `N passed, N failed, N skipped`.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt")
OPTIONAL = ROOT / "tests" / "optional.txt"
MOST_RUN_AGAIN = 3
"""Failures of a suite that are run once more, alone. More than these are no accident of timing."""


@dataclass(frozen=True)
class Program:
    """A program that some tests need: the marker of those tests, and Debian's package."""

    name: str
    marker: str
    package: str
    folders: str = ""

    def is_found(self) -> bool:
        return shutil.which(self.name) is not None or shutil.which(self.name, path=self.folders) is not None


PROGRAMS = (
    Program("chromium", "browser", "chromium"),
    Program("nginx", "load", "nginx-light", "/usr/sbin"),
    Program("wrk", "load", "wrk"),
    Program("taskset", "load", "util-linux"),
    Program("initdb", "postgres", "postgresql", os.pathsep.join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))),
    Program("redis-server", "redis", "redis-server"),
)


@dataclass
class Tally:
    """What happened so far. A check that is no test (style, types, a missing suite) counts as one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lines: list[str] = field(default_factory=list)
    suite_failed: int = 0
    """Failures of the last suite."""

    def check(self, name: str, is_good: bool, seconds: float) -> None:
        self.passed += is_good
        self.failed += not is_good
        self.lines.append(f"{'ok  ' if is_good else 'FAIL'} {name} ({seconds:.0f} s)")

    def suite(self, name: str, status: int, report: Path, seconds: float) -> None:
        """Adds a pytest run from its JUnit report. A suite without tests has failed."""
        counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        if report.exists():
            for suite in ElementTree.parse(report).getroot().iter("testsuite"):
                counts = {key: counts[key] + int(suite.get(key, "0")) for key in counts}
        bad = counts["failures"] + counts["errors"]
        bad = max(bad, int(status != 0))
        self.suite_failed = bad
        self.failed += bad
        self.skipped += counts["skipped"]
        self.passed += max(counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"], 0)
        self.lines.append(f"{'FAIL' if bad else 'ok  '} {name}: {counts['tests']} tests ({seconds:.0f} s)")

    def again(self, has_passed: bool) -> None:
        """Counts the last suite's failures as passed where they passed alone. The line says so: such a test is
        unsteady, and to be mended."""
        count = self.suite_failed
        if has_passed:
            self.failed -= count
            self.passed += count
        self.lines.append(f"{'UNSTEADY' if has_passed else 'FAIL'} {count} of them, run again alone")


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs it with an older one is told so
        print("aiservice needs Python 3.11 or newer; this is", sys.version.split()[0])
        return 2
    arguments = _arguments()
    is_ci = bool(os.environ.get("CI"))
    may_install = os.geteuid() == 0 and (is_ci or arguments.install)
    tally = Tally()
    python = Path(sys.executable) if arguments.here else _environment(may_install)
    missing = _missing_programs(may_install)
    for program in missing:
        tally.lines.append(
            f"{'FAIL' if is_ci else 'not run'}: tests marked `{program.marker}`: {program.name} is not here"
        )
        tally.failed += is_ci
    _check_style(python, tally)
    _build_portal(python, tally)
    _run_tests(python, tally, arguments, {program.marker for program in missing})
    print("\n" + "\n".join(tally.lines))
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped", flush=True)
    return 1 if tally.failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="also what takes minutes; figures go to tests/evidence/")
    parser.add_argument("--install", action="store_true", help="install missing programs with apt-get (as root)")
    parser.add_argument("--here", action="store_true", help="use this interpreter's packages instead of .venv")
    parser.add_argument("--seed", type=int, help="repeat the random choices of another run")
    return parser.parse_args()


def _environment(may_install: bool) -> Path:
    """The interpreter of `.venv`, with exactly the pinned packages; made or brought up to date where needed."""
    python = VENV / "bin" / "python"
    stamp = VENV / "requirements.sha256"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in (*REQUIREMENTS, OPTIONAL))).hexdigest()
    if not python.exists():
        if not _can_make_environments() and may_install:
            _apt("python3-venv")
        _announce("making .venv")
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True, stdin=subprocess.DEVNULL)
    if not stamp.exists() or stamp.read_text() != wanted:
        _announce("installing the pinned packages")
        command: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for path in REQUIREMENTS:
            command += ["-r", path]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        optional: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--only-binary",
            ":all:",
            "-r",
            OPTIONAL,
        ]
        if subprocess.run(optional, check=False, stdin=subprocess.DEVNULL).returncode != 0:
            _announce(f"not installed, since there is none for this machine: what {OPTIONAL.name} names")
        stamp.write_text(wanted)
    return python


def _can_make_environments() -> bool:
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, check=False, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def _missing_programs(may_install: bool) -> list[Program]:
    missing = [program for program in PROGRAMS if not program.is_found()]
    if missing and may_install:
        _apt(*sorted({program.package for program in missing}))
        missing = [program for program in PROGRAMS if not program.is_found()]
    return missing


def _apt(*packages: str) -> None:
    """Installs Debian packages; a failure is left to show as a missing program."""
    _announce(f"installing {', '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages],
    ):
        subprocess.run(command, check=False, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _check_style(python: Path, tally: Tally) -> None:
    for name, command in (
        ("ruff check", ["-m", "ruff", "check", "."]),
        ("ruff format", ["-m", "ruff", "format", "--check", "."]),
        ("mypy", ["-m", "mypy"]),
    ):
        _announce(name)
        started = time.monotonic()
        status = subprocess.run([python, *command], cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
        tally.check(name, status == 0, time.monotonic() - started)


def _build_portal(python: Path, tally: Tally) -> None:
    """Once, before the tests that look at what is built and those that serve it."""
    _announce("building the portal, where its sources have changed")
    started = time.monotonic()
    script = "from aiservice.commands import portal_build; portal_build.build(None)"
    status = subprocess.run([python, "-c", script], cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
    tally.check("portal build", status == 0, time.monotonic() - started)


def _run_tests(python: Path, tally: Tally, arguments: argparse.Namespace, missing: set[str]) -> None:
    """First what shares nothing, three at a time (they wait more than they work); then what starts servers, two files
    at a time; what takes long or measures runs alone."""
    without = "".join(f" and not {marker}" for marker in sorted(missing))
    alone = "process or browser or load or redis"
    tiers = [
        ("tests", f"not long and not ({alone}){without}", ["-n", "3"]),
        ("tests with real processes", f"not long and ({alone}){without}", ["-n", "2", "--dist", "loadfile"]),
    ]
    if arguments.long:
        tiers.append(("long tests", f"long{without}", ["--long"]))
    for name, marks, options in tiers:
        _announce(name)
        report = ROOT / ".pytest_cache" / f"{name.replace(' ', '-')}.xml"
        report.unlink(missing_ok=True)
        command: list[str | Path] = [python, "-m", "pytest", "-q", "-m", marks, f"--junitxml={report}", *options]
        if arguments.seed is not None:
            command.append(f"--seed={arguments.seed}")
        started = time.monotonic()
        environ = _environ(arguments)
        status = subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, env=environ).returncode
        tally.suite(name, status, report, time.monotonic() - started)
        if 0 < tally.suite_failed <= MOST_RUN_AGAIN:
            _run_again(python, tally, marks, environ)


def _run_again(python: Path, tally: Tally, marks: str, environ: dict[str, str]) -> None:
    """Runs what failed once more, alone: a busy machine is told apart from a fault. Both results are told."""
    _announce("what failed, once more and alone")
    failed = ["--last-failed", "--last-failed-no-failures=none"]
    command: list[str | Path] = [python, "-m", "pytest", "-q", "-m", marks, "-n", "0", *failed]
    status = subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, env=environ).returncode
    tally.again(status == 0)


def _environ(arguments: argparse.Namespace) -> dict[str, str]:
    """The environment, in which Python may keep what it compiled (the tests start hundreds of our processes), and
    properties are tried with many examples where there is time for it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PROPERTY_EXAMPLES": "300", **kept} if arguments.long else kept


def _announce(what: str) -> None:
    print(f"\n== {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
