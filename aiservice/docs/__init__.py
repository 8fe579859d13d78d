"""The documentation, served by the product itself: guides, a page for every error code, and all of it as Markdown."""

from aiservice.docs.app import Docs

__all__ = ["Docs"]
