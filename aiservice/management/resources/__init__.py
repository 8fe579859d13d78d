"""The rows of the management API, one file a kind of thing."""
