"""Training: batches, schedule, loop, checkpoints, the run folder."""
