"""Whether a campaign's surprises changed anything: statistics over sums of two arms, and nothing is read or written."""
