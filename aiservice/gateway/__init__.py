"""The hot path, plain ASGI: one file a hop."""

from aiservice.gateway.admit import InFlight
from aiservice.gateway.catalogue import Catalogue
from aiservice.gateway.edge import Edge
from aiservice.gateway.exchange import AsgiApp
from aiservice.gateway.explain import Explain
from aiservice.gateway.idempotency import OncePerKey
from aiservice.gateway.leaks import LeakRoutes
from aiservice.gateway.limits import OwnLimits
from aiservice.gateway.meter import Meter
from aiservice.gateway.ops import Ops
from aiservice.gateway.pipeline import Pipeline
from aiservice.gateway.tokens import TokenRoutes
from aiservice.gateway.usage import OwnUsage
from aiservice.services.core import Core


def build_gateway(core: Core, in_flight: InFlight, sign_in: AsgiApp, portal: AsgiApp) -> Edge:
    """The gateway of one worker, in front of the sign-in routes and the portal."""
    meter = Meter(core.ledger, core.prices)
    core.changes.subscribe(in_flight.on_change)
    catalogue = Catalogue(core)
    pipeline = Pipeline(core, meter, in_flight)
    routes = {
        **pipeline.routes(),
        **catalogue.routes(),
        **Explain(core, pipeline.cached).routes(),
        **OwnUsage(core).routes(),
        **OwnLimits(core).routes(),
        **TokenRoutes(core).routes(),
        **LeakRoutes(core).routes(),
        **Ops(core, in_flight, meter.figures).routes(),
    }
    once = OncePerKey(core, in_flight)
    return Edge(
        once.around(routes),
        lambda path: catalogue.route_with_argument(path) or once.resume.route_with_argument(path),
        sign_in,
        portal,
        core.settings.trusted_proxies,
    )
