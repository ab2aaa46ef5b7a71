"""Where the ticks of a run went, operator by operator, and what a model leaves out of them: row by row, with nothing left over."""
