"""Traces out of what others write: model configurations, live PyTorch modules, model files, topologies, execution traces.

Nothing here knows a machine.
"""
