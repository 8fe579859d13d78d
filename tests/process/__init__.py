"""Promises that only a real process can keep or break: crashes, drains, revocation, real clients, leaks."""
