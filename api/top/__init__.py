"""The top list: of now, renewed from the sources through both kinds of workers, and of any past moment."""
