"""Simulated AI agents whose truth is known, the rules that watch them, and what each rule was worth.

`parameters` draws an agent and its fault from the ranges of `bench/health.yaml`, `contacts` makes what happens to its
contacts whoever watches, `rules` and `trunkline` watch and let contacts in or not, `runs` plays one against the other,
`scores` counts. `bench.health` is the suite.
"""
