"""What API and worker agree on: the domain, the ports, the messages and their adapters."""

__version__ = "0.1.0"
