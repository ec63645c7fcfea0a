"""WFM analytics: volumes, conserved."""
