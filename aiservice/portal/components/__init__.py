"""Stateless building blocks: they take values and handlers and return markup."""
