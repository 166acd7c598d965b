"""The long run: many purchases through a service that is killed, cut off and stopped meanwhile, then the proof.

`python -m tests.faults.long_run --purchases 148000 --kills 12 --cuts 120` runs it at size and prints what came of it;
the tests run a short form of the same.
"""
