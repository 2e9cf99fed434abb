"""Scoring: loss, perplexity, bits per byte, reference lines."""
