"""Jobs: what a worker does beside the API, however often it is told to, and whatever becomes of it.

PgQueuer hands jobs to workers, keeps schedules and finds the jobs of workers that died. What it doesn't know stands in
a row of our own: attempts, counted before they begin, the place from which large work goes on, and what is set aside.
"""
