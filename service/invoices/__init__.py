"""Invoices: terms, quotes, payments, settlements. Early payment keeps a part, as agreed, to the cent."""
