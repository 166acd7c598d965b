"""What customers pass on: their codes and links, how often these are followed, what became of it."""
