"""Knows whether the built portal belongs to the sources, and builds it where it does not.

The stamp names the sources and the built files (names and sizes; Reflex puts content hashes into the names), so a build
that something else left behind, or that was half deleted, is not taken for ours.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
_SOURCES = ("aiservice/portal", "aiservice/aiservice.py", "rxconfig.py", "assets", "requirements.txt")
# Read and rewritten by the build itself.
_LOCKED = ("reflex.lock",)
_STAMP = "aiservice-build.json"
_IGNORED_FOLDERS = {"__pycache__"}
_BUILD_SECONDS = 900


class BuildFailed(Exception):
    """The portal could not be built; the message holds the end of what the build said."""


def web_dir() -> Path:
    """Where Reflex keeps its generated frontend."""
    return Path(os.environ.get("REFLEX_WEB_WORKDIR", ROOT / ".web"))


def is_current(public_url: str | None) -> bool:
    """Whether what is built is what these sources give."""
    try:
        stamp = json.loads((web_dir() / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stamp == _stamp(_source_digest(public_url)) and stamp["built"] is not None


def build(public_url: str | None) -> None:
    """Builds the portal; whoever starts second waits for the first and finds the work done.

    Raises:
        BuildFailed: it could not be built.
    """
    with (ROOT / "rxconfig.py").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(public_url):
            return
        sources = _source_digest(public_url)  # an edit while it runs must not pass for built
        _export()
        stamp = _stamp(sources)
        if stamp["built"] is None:
            raise BuildFailed("The build ended without a page.")
        (web_dir() / _STAMP).write_text(json.dumps(stamp), encoding="utf-8")


def _stamp(sources: str) -> dict[str, str | None]:
    return {"sources": sources, "locked": _digest_of(_LOCKED), "built": _built_digest()}


def _export() -> None:
    command = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"]
    try:
        done = subprocess.run(  # noqa: S603 - a constant command
            command,
            cwd=ROOT,
            env=_build_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"The build did not run to its end ({type(error).__name__}).") from error
    if done.returncode != 0:
        raise BuildFailed(done.stdout.decode(errors="replace")[-4000:])


def _build_environment() -> dict[str, str]:
    """What npm and Vite may see: no secret of ours (they run other people's code)."""
    return {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("AISERVICE_") or name == "AISERVICE_PUBLIC_URL") and not name.endswith("_API_KEY")
    }


def _source_digest(public_url: str | None) -> str:
    digest = hashlib.sha256()
    for name in ("reflex", "plotly"):
        digest.update(f"{name}={version(name)}\0".encode())
    digest.update(f"{urlsplit(public_url or '').path.strip('/')}\0".encode())
    digest.update(_digest_of(_SOURCES).encode())
    return digest.hexdigest()


def _digest_of(names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for path in _files(names):
        content = hashlib.sha256(_content(path)).hexdigest()
        digest.update(f"{path.relative_to(ROOT)}\0{content}\0".encode())
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".json":
        return data
    try:
        # Reflex writes its lock back with the keys in another order.
        return json.dumps(json.loads(data), sort_keys=True).encode()
    except ValueError:
        return data


def _files(names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from sorted(
                file for file in path.rglob("*") if file.is_file() and not _IGNORED_FOLDERS.intersection(file.parts)
            )


def _built_digest() -> str | None:
    folder = web_dir() / "build" / "client"
    if not any(folder.rglob("index.html")):
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
    return digest.hexdigest()
