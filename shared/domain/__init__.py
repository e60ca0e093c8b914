"""The nouns of freshrate. Standard library only, no I/O, no clock of its own."""
