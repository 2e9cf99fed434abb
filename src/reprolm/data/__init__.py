"""Token shards on disk and the batches read from them."""
