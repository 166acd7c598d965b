"""The customer's page `/portal`: rendered here, in the customer's language, for any phone, with or without scripts."""
