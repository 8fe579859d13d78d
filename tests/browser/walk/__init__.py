"""The walk of every screen and every action, as a developer and as an admin: written once, walked on three legs.

`legs.py` has the ways to reach a server, `walker.py` who walks and what is noted, each other module the steps of the
pages that its name says.
"""
