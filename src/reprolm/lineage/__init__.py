"""From a run back to what it was made from: found, drawn, re-created, verified."""
