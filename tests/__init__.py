"""What must be true, in the words of the domain."""
