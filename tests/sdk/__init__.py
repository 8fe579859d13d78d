"""Scripted sessions of the official libraries, each in its own language, against every provider's wire."""
