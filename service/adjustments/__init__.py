"""Points given or taken by hand, above a limit with a second key's approval."""
