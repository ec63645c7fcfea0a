"""The demonstration: the whole loop on this machine, checked by an independent consumer."""
