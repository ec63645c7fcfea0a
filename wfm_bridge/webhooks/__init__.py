"""Webhooks: what Trunkline tells WFM, sent to HTTP receivers as signed CloudEvents, at least once and in order."""
