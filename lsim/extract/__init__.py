"""Traces out of what others write: topologies, execution traces and model files. Nothing here knows a machine."""
