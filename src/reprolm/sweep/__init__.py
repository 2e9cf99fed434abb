"""Grids of experiments, through the queue of DVC."""
