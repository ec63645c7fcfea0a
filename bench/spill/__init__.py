"""A full outage of AI at the busiest hour of a bank's day, in virtual time, through the product's own logic.

`day`: when contacts arrive and what each brings. `product`: the router's decision and staffing's step on states in
memory. `people`: the ACD and the people of its queue. `outage`: the run, event by event. `figures`: what it comes to.
"""
