"""What a run will take, before it is run: a rehearsal of its training on tokens that are not there."""
