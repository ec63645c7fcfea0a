"""Breakers as operators see them: time spent in each state, reports on providers, words for evidence.

Pure: what the topics hold and the time are passed in. `spans` is the arithmetic of times, `course` what a breaker's
transitions say of its states, `report` availability, outages and drift, `words` and `tables` the text.
"""
