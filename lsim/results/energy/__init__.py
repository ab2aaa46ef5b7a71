"""The energy of a run: what its events cost, what draws power all the time, and what of that was dark."""
