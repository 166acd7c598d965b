"""The demo shop: a test program's shop, portal and games in one place, to be tried out."""
