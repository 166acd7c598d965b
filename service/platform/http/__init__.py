"""The HTTP door: bodies, problems, authentication, paging. No decision of the domain is made here."""
