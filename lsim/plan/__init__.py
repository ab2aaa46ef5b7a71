"""How a trace runs on a machine: pure functions from operators and an arch to programs, without a clock."""
