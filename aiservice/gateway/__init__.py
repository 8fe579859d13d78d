"""The hot path, plain ASGI: one file a hop."""
