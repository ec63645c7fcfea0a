"""The command line and the demo: composition only."""
