"""The floor that tagtrail is measured against: Flask that reads a body and answers 204, and does nothing else."""

from flask import Flask, Response, request


def make_app() -> Flask:
    """For `gunicorn bench.floor:make_app()`."""
    app = Flask("floor", static_folder=None)

    @app.post("/events")
    def receive() -> Response:
        request.get_data(cache=False)
        return Response(status=204)

    return app
