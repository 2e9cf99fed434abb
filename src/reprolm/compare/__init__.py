"""Runs beside each other: what differs, what came of it, curves, samples."""
