"""What training tells of itself: events, series, a certificate, and how two runs differ."""
