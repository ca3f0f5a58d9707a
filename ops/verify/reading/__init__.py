"""What nodes, hypervisors and the API print, as values: nothing here raises for what they said."""
