"""What customers bring from elsewhere: points with their ends, or a debt."""
