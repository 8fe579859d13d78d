"""One file per vendor: pure translation between our form and theirs; no I/O.

Vendors that speak OpenAI's wire are rows of data (`_vendors/`); an admin's rows join them while the process runs.
"""

from collections.abc import Callable, Iterable
from functools import cache

from aiservice.kit.discover import modules_of
from aiservice.providers._base import Provider

CAPABILITIES = "aiservice.providers.capabilities"  # with VENDORS the public modules here that are no provider
VENDORS = "aiservice.providers.vendors"
_when_changed: list[Callable[[], object]] = []


@cache
def built_in() -> dict[str, Provider]:
    """The providers that come with the program, by kind; a new one is a new module with a `PROVIDER`, or a row."""
    import aiservice.providers as package  # noqa: PLC0415 - itself, once, at first use
    from aiservice.providers import _vendors  # noqa: PLC0415 - as above
    from aiservice.providers._vendors.shape import VendorShape  # noqa: PLC0415

    modules = [module for module in modules_of(package) if module.__name__ not in (CAPABILITIES, VENDORS)]
    known = {module.PROVIDER.kind: module.PROVIDER for module in modules}
    rows = {kind: VendorShape(row) for kind, row in _vendors.built_in().items() if kind not in known}
    return {**known, **rows}


@cache
def registry() -> dict[str, Provider]:
    """All providers by kind: always the same dictionary, which `install` keeps in step with an admin's rows."""
    return dict(built_in())


def install(providers: Iterable[Provider]) -> None:
    """From now on these are the providers beside the built-in ones, whose kinds they cannot take."""
    known = registry()
    wanted = {**{each.kind: each for each in providers}, **built_in()}
    for kind in known.keys() - wanted.keys():
        del known[kind]
    known.update(wanted)
    for forget in _when_changed:
        forget()


def when_changed(forget: Callable[[], object]) -> None:
    """Calls `forget` whenever the providers change: for what is remembered by kind."""
    _when_changed.append(forget)
