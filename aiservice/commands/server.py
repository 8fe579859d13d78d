"""`serve`: checks all that a production server needs, builds what is not built, and becomes its first worker."""

import time
from pathlib import Path
from typing import Annotated

import typer

from aiservice.commands import portal_build, ports
from aiservice.commands.console import JsonFlag, fail, say, settings_or_exit, usage_error
from aiservice.commands.renewal import Files
from aiservice.commands.supervisor import settled
from aiservice.commands.worker import Serving, work
from aiservice.kit.ids import new_id
from aiservice.settings import PREFIX, Settings

# A stopping worker lets streams run for the drain (30 s by default) and then settles; after this it is killed.
_AFTER_DRAIN_SECONDS = 4.0


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = ports.DEFAULT_HOST,
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = ports.DEFAULT_PORT,
    workers: Annotated[int, typer.Option("--workers", envvar="GRANIAN_WORKERS", min=1, max=64)] = 1,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key (PEM).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve portal and API on one port; builds the portal first when its sources have changed."""
    settings = settings_or_exit(as_json=as_json)
    files = _tls(settings, tls_cert, tls_key)
    if workers > 1 and settings.redis_url is None:
        usage_error(
            f"{workers} workers need Redis, by which they tell each other what changes. Set {PREFIX}REDIS_URL, or "
            "serve with one worker."
        )
    if Path.cwd() != portal_build.ROOT:
        usage_error(f"Run this in the project's folder: cd {portal_build.ROOT}")
    if (obstacle := ports.obstacle(host, port)) is not None:
        fail(f"{obstacle} Choose another: --host, --port.", code="cannot_listen", as_json=as_json)
    _build_portal(settings, as_json=as_json)
    serving = Serving(
        host=host,
        port=port,
        workers=workers,
        cert=str(files.cert) if files else None,
        key=str(files.key) if files else None,
        node=new_id("nod"),
        as_json=as_json,
    )
    words = serving.words()
    stop_seconds = settings.drain_seconds + _AFTER_DRAIN_SECONDS
    settled(workers, stop_seconds=stop_seconds, takes_hangups=files is not None, words=words)
    work(0, words)


def _tls(settings: Settings, cert: Path | None, key: Path | None) -> Files | None:
    if (cert is None) != (key is None):
        usage_error("--tls-cert and --tls-key belong together: give both or neither.")
    cert, key = cert or settings.tls_cert, key or settings.tls_key
    for path in (cert, key):
        if path is not None and not path.is_file():
            usage_error(f"{path} is not a file.")
    if cert is None or key is None:
        return None
    files = Files(cert, key)
    if (obstacle := files.obstacle()) is not None:
        usage_error(obstacle)
    return files


def _build_portal(settings: Settings, *, as_json: bool) -> None:
    if portal_build.is_current(settings.public_url):
        return
    say("Building the portal (its sources have changed since the last build); this takes about a minute…")
    began = time.monotonic()
    try:
        portal_build.build(settings.public_url)
    except portal_build.BuildFailed as error:
        fail(f"The portal could not be built.\n{error}", code="build_failed", as_json=as_json)
    say(f"Built in {time.monotonic() - began:.0f} s.")
