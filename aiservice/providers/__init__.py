"""One file per vendor: pure translation between our form and theirs; no I/O."""

from functools import cache

from aiservice.kit.discover import modules_of
from aiservice.providers._base import Provider

CAPABILITIES = "aiservice.providers.capabilities"  # the one public module here that is no provider


@cache
def registry() -> dict[str, Provider]:
    """All providers by kind; a new one is a new module with a `PROVIDER`."""
    import aiservice.providers as package  # noqa: PLC0415 - itself, once, at first use

    modules = [module for module in modules_of(package) if module.__name__ != CAPABILITIES]
    return {module.PROVIDER.kind: module.PROVIDER for module in modules}
