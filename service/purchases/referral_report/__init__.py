"""What referrals bring and cost: read from what is booked, and nothing is written."""
