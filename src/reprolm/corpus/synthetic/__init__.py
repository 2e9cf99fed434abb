"""Corpora that are drawn from a known process, so that the best possible loss is known."""
