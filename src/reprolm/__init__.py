"""reprolm: train small language models from scratch and re-create every result."""
