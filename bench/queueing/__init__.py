"""Queues simulated contact by contact, to measure the formulas against."""
