"""Trained models in the layouts of Hugging Face, with proof that the numbers are the same."""
