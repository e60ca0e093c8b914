"""The market at a glance, and how the service is: what the dashboard shows first."""
