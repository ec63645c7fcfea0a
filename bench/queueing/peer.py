"""The same queue by ciw, a library for the simulation of queueing networks."""

from __future__ import annotations

import math

import ciw
import numpy as np

from bench.queueing.simulation import Contacts


def ciw_simulated(
    seed: int, per_second: float, agents: int, aht_seconds: float, patience_seconds: float, until: float
) -> Contacts:
    """Simulate M/M/n+M up to a time, and return the contacts that had been served or had left by then."""
    endless = math.isinf(patience_seconds)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(per_second)],
        service_distributions=[ciw.dists.Exponential(1.0 / aht_seconds)],
        number_of_servers=[agents],
        **({} if endless else {"reneging_time_distributions": [ciw.dists.Exponential(1.0 / patience_seconds)]}),
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(until)
    records = sorted(simulation.get_all_records(), key=lambda record: record.arrival_date)
    return Contacts(
        np.array([record.arrival_date for record in records]),
        np.array([record.waiting_time for record in records]),
        np.array([record.record_type == "service" for record in records]),
    )
