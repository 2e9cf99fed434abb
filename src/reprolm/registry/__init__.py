"""From a run to a model that has a name, is loaded by it and answers prompts."""
