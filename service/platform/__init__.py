"""Everything technical: database, batching, HTTP, authentication, idempotency, outbox, jobs, embedded servers."""
