"""Live views of WFM data over HTTP."""
