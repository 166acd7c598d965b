"""What customers and shops live through over months."""
