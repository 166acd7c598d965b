"""Whether paying early pays the merchant: read from what is booked, and nothing is written."""
