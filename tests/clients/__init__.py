"""Callers made by others: clients generated from the OpenAPI document, and a fuzzer that reads it."""
