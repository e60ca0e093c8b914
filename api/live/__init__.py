"""Live streams: every rate that becomes the last one goes to all who listen."""
