"""Opening balances from a file: a lot a line, the lines of one balance behind each other."""
