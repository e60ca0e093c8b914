"""What runs freshrate: locked dependencies, the production shape without Docker, boards and alerts."""
