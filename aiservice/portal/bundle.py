"""What we change in Reflex's generated frontend: the browser talks to the origin it was loaded from, nothing else.

Reflex 0.10.1 bakes the backend's URL with its port into the bundle, corrects only the host name at run time and drops
the port on https: a build made for one port is dead on another. Ours asks `window.location`, so one build serves any
host, port and scheme. In development Vite hands everything that is not a page on to the backend, so that the socket,
the cookie and an API path asked of the frontend's port reach the same program as in production.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reflex.plugins import Plugin
from reflex_base.compiler import templates
from reflex_base.config import get_config

# First path segments that belong to the API, the sign-in routes or the socket, never to a page.
BACKEND_SEGMENTS = (
    "ai-service",
    "v1",
    "v1beta",
    "v2",
    "api",
    "auth",
    "healthz",
    "readyz",
    "metrics",
    "openapi.json",
    "docs",
    "llms.txt",
    "llms-full.txt",
    ".well-known",
    "_event",
    "_upload",
    "_health",
    "_all_routes",
    "ping",
    "auth-codespace",
)

_COMPONENTS = Path(__file__).parent / "components"
_STATE_MODULE = "utils/state.js"
_VITE_CONFIG = "vite.config.js"
_DEV_PORT = "REFLEX_BACKEND_PORT"
_BAKED_ENDPOINT = "const endpoint = new URL(url_str);"
_OWN_ENDPOINT = f"""{_BAKED_ENDPOINT}
  if (typeof window !== "undefined") {{
    // One origin: whatever was baked in, the backend is where this page came from.
    const secure = window.location.protocol === "https:";
    const scheme = endpoint.protocol.startsWith("ws") ? (secure ? "wss:" : "ws:") : window.location.protocol;
    return new URL(scheme + "//" + window.location.host + endpoint.pathname + endpoint.search);
  }}"""
_BAKED_RETRY = """    retry_timer = window.setTimeout(() => {
      retry_timer = undefined;
      if (socket.current && !socket.current.connected) {
        socket.current.reconnect();
      }
    }, 200 * failed_attempts); // Incremental backoff"""
_OWN_RETRY = """    // Twice as long each time, to ten seconds, each tab at a moment of its own. The banner counts
    // down to it, and may ask for it at once.
    const again = () => {
      window.clearTimeout(retry_timer);
      retry_timer = undefined;
      if (socket.current && !socket.current.connected) {
        socket.current.reconnect();
      }
    };
    const wait = Math.min(10_000, 250 * 2 ** failed_attempts) * (0.75 + Math.random() / 2);
    retry_timer = window.setTimeout(again, wait);
    window.dispatchEvent(new CustomEvent("aiservice:retrying", { detail: { at: Date.now() + wait, again } }));"""
_BAKED_PATH = "    path: endpoint.pathname,\n    transports,"
# Below a path the socket is there too. Its namespace, which is taken from the address, stays what the server calls it.
_OWN_PATH = '    path: import.meta.env.BASE_URL.replace(/[/]$/, "") + endpoint.pathname,\n    transports,'
_VITE_SERVER = "  server: {\n    port: process.env.PORT,"


class BundleError(Exception):
    """Reflex's template is not the one these changes were written for."""


class OneOriginPlugin(Plugin):
    """Applies the changes at every compile and adds our own components; an unknown template stops the build.

    `frame_modules` gives the frame's scripts by where they belong; it is asked once the pages are registered.
    """

    def __init__(self, frame_modules: Callable[[], list[tuple[Path, str]]]) -> None:
        self._frame_modules = frame_modules

    def get_static_assets(self, **context: Any) -> list[tuple[Path, str | bytes]]:
        modules = sorted(_COMPONENTS.glob("*.jsx"))
        ours = [(Path("utils") / module.name, module.read_text(encoding="utf-8")) for module in modules]
        return [*ours, *self._frame_modules()]

    def pre_compile(self, **context: Any) -> None:
        context["add_modify_task"](_STATE_MODULE, lambda _built_before: own_state_module())
        context["add_modify_task"](_VITE_CONFIG, proxy_backend_paths)


def own_state_module() -> str:
    """`utils/state.js`, always from Reflex's own: what lies in `.web` may carry the changes of an older release."""
    template = Path(templates.__file__).parents[1] / ".templates" / "web" / _STATE_MODULE
    own = announce_retries(use_own_origin(template.read_text(encoding="utf-8")))
    return _replace_once(own, _BAKED_PATH, _OWN_PATH, _STATE_MODULE)


def use_own_origin(source: str) -> str:
    """`utils/state.js` with `getBackendURL` answering the page's own origin."""
    return _replace_once(source, _BAKED_ENDPOINT, _OWN_ENDPOINT, _STATE_MODULE)


def announce_retries(source: str) -> str:
    """`utils/state.js` that says when it tries to connect again, and can be told to do so now."""
    return _replace_once(source, _BAKED_RETRY, _OWN_RETRY, _STATE_MODULE)


def proxy_backend_paths(source: str) -> str:
    """`vite.config.js` whose development server hands API, sign-in and socket paths to the backend."""
    segments = "|".join(segment.replace(".", "\\.") for segment in BACKEND_SEGMENTS)
    pattern = f"^/+(?:{segments})(?:[/?]|$)"
    # `reflex run` puts its port into the environment, which Vite inherits. Only that is right while it runs: a build in
    # the same folder meanwhile writes this file anew.
    target = f"`http://127.0.0.1:${{process.env.{_DEV_PORT} || {get_config().backend_port or 8000}}}`"
    proxy = f"    proxy: {{ {json.dumps(pattern)}: {{ target: {target}, ws: true, changeOrigin: false }} }},"
    return _replace_once(source, _VITE_SERVER, f"{_VITE_SERVER}\n{proxy}", _VITE_CONFIG)


def _replace_once(source: str, old: str, new: str, where: str) -> str:
    if source.count(old) != 1:
        raise BundleError(f"Reflex's {where} has changed: '{old.splitlines()[0]}' was expected exactly once.")
    return source.replace(old, new)
