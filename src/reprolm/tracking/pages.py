"""MLflow's pages with another first page: the training runs, rather than those for prompts and agents.

MLflow 3 has two sets of pages and keeps the choice in the browser; who has not chosen sees the other. It
loads this module as an app of its own (`mlflow ui --app-name reprolm`), in the server's process.
"""

import gc
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlflow.server.fastapi_app import app as pages

from reprolm.tracking.interface import OPENED
from reprolm.tracking.view import charts_of_a_run, remembered

# the charts of each run are remembered apart, so that what to begin with is given when it is asked for
SCRIPT = """<script>
for (const [key, value] of Object.entries(%s))
  if (localStorage.getItem(key) === null) localStorage.setItem(key, value);
const charts = %s, kept = Storage.prototype.getItem;
Storage.prototype.getItem = function (key) {
  return kept.call(this, key) ?? (/-RunPage-.*-model-chartUIState$/.test(key) ? charts : null);
};
if (["", "#/"].includes(location.hash)) location.hash = "#/experiments/%s/runs";
</script>"""
# a table of a hundred runs is 20,000 objects that live for one answer; by default the collector looks through
# them again and again, for more than half of the time
gc.freeze()
gc.set_threshold(100_000, 20, 100)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def _script() -> str:
    experiment = os.environ.get(OPENED, "")
    if not experiment.isdigit():
        return ""
    return SCRIPT % (json.dumps(remembered(experiment)), json.dumps(charts_of_a_run()), experiment)


class _FirstPage:
    """Sends an answer on; where it is the first page, with our script in it."""

    def __init__(self, send: Send) -> None:
        self._send, self._body = send, b""
        self._start: Message = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            body = self._body.replace(b"<head>", b"<head>" + _script().encode(), 1)
            # the file's own date and tag would have a browser keep the page of another day
            dropped = (b"content-length", b"etag", b"last-modified")
            kept = [pair for pair in self._start["headers"] if pair[0].lower() not in dropped]
            length = (b"content-length", str(len(body)).encode())
            await self._send({**self._start, "headers": [*kept, length]})
            await self._send({"type": "http.response.body", "body": body})


class _Pages:
    """The pages of MLflow as an ASGI application; MLflow takes a function for one that makes it."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        first = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        await pages(scope, receive, _FirstPage(send) if first else send)


app = _Pages()
