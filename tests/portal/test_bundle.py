"""What the build makes of Reflex's templates, and what must never be in it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from reflex_base.compiler import templates

import aiservice.portal
from aiservice.aiservice import app
from aiservice.portal.bundle import BundleError, announce_retries, own_state_module, proxy_backend_paths, use_own_origin
from aiservice.portal.layout.registry import registered_pages
from tests.harness.process import ROOT

STATE_TEMPLATE = Path(templates.__file__).parents[1] / ".templates" / "web" / "utils" / "state.js"
BUILD = ROOT / ".web" / "build" / "client"
assert app is not None  # importing it registers every page


def test_the_backends_url_is_the_pages_own_origin_and_port() -> None:
    changed = use_own_origin(STATE_TEMPLATE.read_text())
    assert 'scheme + "//" + window.location.host + endpoint.pathname' in changed


def test_the_socket_says_when_it_tries_again_and_can_be_told_to() -> None:
    changed = announce_retries(STATE_TEMPLATE.read_text())
    assert 'new CustomEvent("aiservice:retrying", { detail: { at: Date.now() + wait, again } })' in changed
    assert "200 * failed_attempts" not in changed


def test_the_changes_are_made_to_reflexs_own_whatever_an_older_build_left() -> None:
    module = own_state_module()
    assert "aiservice:retrying" in module
    assert "window.location.host" in module
    assert "path: import.meta.env.BASE_URL.replace" in module
    with pytest.raises(BundleError):
        announce_retries(module)


def test_a_template_that_has_changed_stops_the_build() -> None:
    with pytest.raises(BundleError):
        use_own_origin("export const getBackendURL = () => somethingElse();")


def test_development_hands_api_paths_to_the_backend() -> None:
    config = templates.vite_config_template("/", True, False, False, False)
    (pattern,) = re.findall(r'proxy: \{ "(.*?)": \{', proxy_backend_paths(config))
    matches = re.compile(pattern.replace("\\\\", "\\"))
    for path in ("/v1/models", "//v1/models", "/v1", "/api?x", "/ai-service", "/auth/sign-in", "/_event/?token=x"):
        assert matches.search(path), path
    for path in ("/", "/keys", "/v1x", "/apidocs", "/assets/x.js", "/@vite/client"):
        assert not matches.search(path), path


def test_the_lock_names_no_registry_and_no_path_of_a_machine() -> None:
    lock = (ROOT / "reflex.lock" / "package-lock.json").read_text()
    hosts = set(re.findall(r"https?://([^/\"]+)/[^\"]*\.tgz", lock))
    assert hosts <= {"registry.npmjs.org"}
    assert "file:" not in lock


@pytest.mark.skipif(not BUILD.exists(), reason="the portal is not built here")
def test_t27_the_built_pages_hold_no_secret_and_no_machine() -> None:
    text = b"".join(file.read_bytes() for file in BUILD.rglob("*") if file.suffix in {".js", ".html", ".css", ".json"})
    assert not re.search(rb"ais_(live|test)_[0-9A-Za-z]{12}_", text)
    assert str(ROOT).encode() not in text
    assert b"AISERVICE_MASTER_KEY" not in text


@pytest.mark.skipif(not BUILD.exists(), reason="the portal is not built here")
def test_no_page_loads_more_than_200_kb_of_script() -> None:
    """Told from the manifest, which also knows the pages that have a part of their address in it, and no file."""
    (manifest,) = (BUILD / "assets").glob("manifest-*.js")
    said = json.loads(manifest.read_text().removeprefix("window.__reactRouterManifest=").rstrip().removesuffix(";"))
    routes: dict[str, Any] = said["routes"]
    assert {page.route.strip("/") for page in registered_pages()} <= {_address(route) for route in routes.values()} | {
        "404"
    }
    shared = [said["entry"], routes.pop("root")]
    sizes = {name: _script_bytes([*shared, route]) for name, route in routes.items()}
    sizes["not found"] = _script_bytes(shared)
    too_large = {name: size for name, size in sizes.items() if not 100_000 < size <= 200_000}
    assert too_large == {}


def _address(route: Any) -> str:
    """`providers/:connection` as pages are registered: `providers/[connection]`."""
    return re.sub(r":(\w+)", r"[\1]", route.get("path") or "").strip("/")


def _script_bytes(parts: list[Any]) -> int:
    """What the scripts of these take on the way, each counted once; a small one may have no packed form."""
    names = {name.removeprefix("/") for part in parts for name in (part["module"], *part["imports"])}
    packed = {name: BUILD / f"{name}.gz" for name in names}
    return sum((each if each.exists() else BUILD / name).stat().st_size for name, each in packed.items())


def test_pages_and_their_states_stand_alone() -> None:
    pages = Path(aiservice.portal.__file__).parent / "pages"
    for module in pages.glob("*.py"):
        assert "aiservice.portal.pages" not in module.read_text().replace('"""', ""), module
