"""The `linplane` command: thin, each program imported only when it is asked for."""
