"""Whether surprises changed anything, and what they cost: read from what is booked, and nothing is written."""
