"""Closed forms beside the simulation: the published models, bounds, and models of users.

A model says how many ticks an operator takes: `base` has what it is, `load` finds one by its name or file, `published`,
`roofline` and `bound` are those that come with lsim.
"""

from lsim.models.base import Charges, Estimate, Model, Prediction, TraceModel, predict
from lsim.models.load import load_model

__all__ = ["Charges", "Estimate", "Model", "Prediction", "TraceModel", "load_model", "predict"]
