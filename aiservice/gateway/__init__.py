"""The hot path, plain ASGI: one file a hop."""

from collections.abc import Mapping

from aiservice.gateway.admit import InFlight
from aiservice.gateway.catalogue import Catalogue
from aiservice.gateway.edge import Edge
from aiservice.gateway.exchange import AsgiApp, Handler
from aiservice.gateway.explain import Explain
from aiservice.gateway.google import GoogleRoutes
from aiservice.gateway.idempotency import OncePerKey
from aiservice.gateway.leaks import LeakRoutes
from aiservice.gateway.limits import OwnLimits
from aiservice.gateway.meter import Meter
from aiservice.gateway.ops import Ops
from aiservice.gateway.pipeline import Pipeline
from aiservice.gateway.stored_responses import StoredResponses
from aiservice.gateway.tokens import TokenRoutes
from aiservice.gateway.traces import Traces
from aiservice.gateway.usage import OwnUsage
from aiservice.services.core import Core


def build_gateway(
    core: Core, in_flight: InFlight, sign_in: AsgiApp, portal: AsgiApp, management: AsgiApp | None = None
) -> Edge:
    """The gateway of one worker, in front of the sign-in routes, the portal, and management for programs."""
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
    once, stored, traces = OncePerKey(core, in_flight), StoredResponses(core), Traces(core)
    google = GoogleRoutes(core, catalogue, lambda dialect: once.honouring(pipeline.handler(dialect)), pipeline.infer)
    for dialect in google.dialects():
        once.know(dialect)
    routes["/v1/models"] = google.for_googles_clients("/v1/models", routes["/v1/models"])

    def with_argument(path: str) -> Mapping[str, Handler] | None:
        if (found := google.route_with_argument(path)) is not None:
            return found
        if (listed := catalogue.route_with_argument(path)) is not None:
            return google.for_googles_clients(path, listed)
        by_id = (once.resume, stored, traces)
        return next((found for one in by_id if (found := one.route_with_argument(path)) is not None), None)

    return Edge(
        once.around(routes),
        with_argument,
        sign_in,
        portal,
        core.settings.trusted_proxies,
        management=management,
    )
