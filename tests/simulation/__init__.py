"""Clients' traffic and attacks on it, made up minute by minute, to score what watches for abuse in fake time.

Committed before the detector that it judges. `held_out.py` is kept out of all tuning: nothing is adjusted to it.
"""
