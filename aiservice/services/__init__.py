"""Rules shared by gateway, portal, command line and jobs."""
