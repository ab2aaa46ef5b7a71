"""A run's timeline in files of other tools: Perfetto, CSV, Parquet, VCD. Nothing is computed here that is not in the log."""
