"""When things happen: the clock, processes, tokens, ports, folding and the log. Knows no photonics."""
