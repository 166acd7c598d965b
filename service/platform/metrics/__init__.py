"""Numbers that say whether the service is well, how fast it is and how full.

`values` counts, in plain Python; `process` samples the process and puts the numbers of all processes behind one port
together; `exposition` writes them for Prometheus, and alone knows its library. The library's own metrics are not used
to count: bound and with several processes one costs 1 to 2 microseconds a value, these cost 0.1 to 0.3, and a purchase
has about six of them.

Labels are names from this code: operations, codes, classes of faults. Never paths, ids, keys or anything else a caller
sent.
"""
