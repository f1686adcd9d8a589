"""The `linplane` command: a thin layer, which imports each program only when its command is called."""
