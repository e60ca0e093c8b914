"""What API and worker agree on: the domain, the ports, the messages and their adapters."""
