"""Real processes for tests: the server, the mock provider, PostgreSQL and Redis, and what reads the traces they leave.

Nothing here imports the product: these tests see what an operator and a client see.
"""

from tests.harness.installation import CommandRefused, Installation
from tests.harness.mock import MockProcess
from tests.harness.process import Child, free_port
from tests.harness.server import ServerProcess

__all__ = ["Child", "CommandRefused", "Installation", "MockProcess", "ServerProcess", "free_port"]
