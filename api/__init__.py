"""The API: serves what is known, and asks workers for what must be fresh."""
