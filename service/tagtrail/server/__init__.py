"""How tagtrail is served: gunicorn's processes, with a worker that slow or hostile clients cannot stop.

Reading order: `terms.py` (the promises in numbers), `connections.py` (what has arrived of a request), `reception.py`
(who serves it), `parking.py` (where slow requests wait), `lanes.py` (threads by kind of client), `answers.py` (one
request through the WSGI application), `worker.py` (one process), `gunicorn.py` (all of them), `companion.py` (the
dispatcher beside them), `run.py` (`serve`).
"""
