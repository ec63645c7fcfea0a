"""Other stream processors doing the router's work, or none: what `hotpath` puts beside our loop."""
