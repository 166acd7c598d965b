"""The ledger: transfers, lots, balances. It books; it never decides why."""
