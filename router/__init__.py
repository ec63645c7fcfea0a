"""The router: classify, decide, and the loop that does it for every offered contact."""
