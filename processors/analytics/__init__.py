"""WFM analytics: volumes, conserved; containment, and the warning that it falls."""
