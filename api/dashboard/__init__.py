"""The dashboard: a page and its files, served from this process alone."""
