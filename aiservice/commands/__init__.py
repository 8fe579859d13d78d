"""The command line's groups: each parses, calls services and prints. No rules of the product live here."""
