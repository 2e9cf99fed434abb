"""Text: sources, hygiene, splitting by document."""
