"""What training tells of itself: events, series, digests, and how two runs differ."""
