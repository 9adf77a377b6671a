"""A page of runs while they train, made anew from their files at each look, and served to this machine alone."""

import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from aejax import console
from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.panels import learning_curves
from aejax.report import folders
from aejax.report.page import experiment, render
from aejax.report.page.render import Page
from aejax.report.words import Words
from aejax.runs import workdir

ERROR = "validation_mse"
WIDEST = 900


def serve(folder: Path, port: int, every: int, words: Words) -> None:
    """Serve the page of a folder to this machine until Ctrl-C.

    Args:
        folder: of a run, or with some in it or in the folders of it.
        port: 0 for a free one.
        every: seconds after which a browser asks again.
        words: of the language.

    Raises:
        UserError: no run has begun there, or the port is taken.
    """
    page(folder, every, words)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """The page as it is now."""
            if self.path != "/":
                return self.send_error(HTTPStatus.NOT_FOUND)
            try:
                content = render.text(page(folder, every, words), words)
            except UserError as error:  # such as a folder that was removed meanwhile
                return self.send_error(HTTPStatus.CONFLICT, explain=str(error))
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return None

        def log_message(self, *_: Any) -> None:
            """Nothing: the terminal has the address alone."""

    try:
        server = HTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; allowed: another one, or 0 for any that is free") from None
    with server:
        console.say(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.say("")


def page(folder: Path, every: int, words: Words) -> Page:
    """What the files of a folder say now.

    Raises:
        UserError: no run has begun there.
    """
    paths = [folder] if (folder / workdir.CONFIG).is_file() else folders.inside(folder)
    runs = [path for path in paths if (path / workdir.CONFIG).is_file()]
    runs.sort(key=lambda path: (path / workdir.FINISHED).is_file())  # those that train come first
    if not runs:
        raise UserError(f"{folder}: no run has begun there; allowed: the --workdir of one, or a folder with some")
    text, lines, curves = words.text["watch"], [], {}
    for path in runs:
        name = path.resolve().name if path == folder else str(path.relative_to(folder))
        try:
            rows, steps = workdir.read_metrics(path), workdir.read_config(path)["train"]["steps"]
        except (UserError, KeyError) as error:
            lines.append({"name": name, "step": "", "state": str(error), "numbers": []})
            continue
        last = rows[-1] if rows else {}
        if ERROR in last:
            curves[name] = [row["step"] for row in rows], [row[ERROR] for row in rows]
        lines.append(
            {
                "name": name,
                "step": f"{words.number(last.get('step', 0))} / {words.number(steps)}",
                "state": _state(path, words),
                "numbers": [
                    (words.measure(key.replace("_", "/", 1)), words.number(last[key])) for key in last if key != "step"
                ],
            }
        )
    drawn = None
    if curves:
        draw = lambda: {"": canvas.finish(learning_curves(words.figures, curves), words.figures)}
        figures = experiment.both_widths(draw)[""]
        drawn = experiment.figure("learning curves", Path(), figures, "learning-curves", words, WIDEST)
    part = {"kind": "watch", "id": "watch", "title": text["title"], "lines": lines, "curves": drawn}
    title = text["page"].format(name=folder.resolve().name)
    return Page(title, text["lead"].format(seconds=every), [part], [], refresh=every)


def _state(path: Path, words: Words) -> str:
    """Whether a run is finished, and if not, how long ago it wrote its numbers."""
    text = words.text["watch"]
    if (path / workdir.FINISHED).is_file():
        return text["finished"]
    try:
        ago = time.time() - (path / workdir.METRICS).stat().st_mtime
    except OSError:
        return text["begun"]
    return text["ago"].format(time=words.seconds(max(ago, 0)))
