"""`<loyalty-balance>`: a customer's balance on any page."""
