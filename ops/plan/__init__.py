"""Where the planner seats every machine: a table, a drawing of each hypervisor's cores, what is missing, and the record of it."""
