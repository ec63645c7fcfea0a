"""Shared machinery: clients, the transactional loop, the shape of stateful services, settings, metrics."""
