"""How tagtrail is served: gunicorn's processes, with a front that slow or hostile clients cannot stop.

Reading order: `limits.py` (the limits of clients), `connections.py` (how far a request has arrived, and
the head of an ordinary event), `front.py` (accepts everything and records events), `handover.py` and `readers.py` (the
threads that serve the rest), `answers.py` (one request through the WSGI application), `worker.py` (one process),
`gunicorn.py` (all of them), `companion.py` (the dispatcher beside them), `run.py` (`serve`).
"""
