"""aiservice: a self-hosted broker for AI APIs. Importing it opens nothing."""

__version__ = "0.1.0"
