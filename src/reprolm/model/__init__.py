"""The decoder-only Transformer, one readable file a family."""
