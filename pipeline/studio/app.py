"""The studio as an application: which address is answered by whom."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from pipeline.studio.answers import HANDLERS
from pipeline.studio.drafts import Drafts
from pipeline.studio.feed import Board
from pipeline.studio.film import Pictures
from pipeline.studio.guard import Guard
from pipeline.studio.library import Library
from pipeline.studio.orders import Orders
from pipeline.studio.plates import Plates
from pipeline.studio.processes import Renderers
from pipeline.studio.routes_drafts import DraftRoutes
from pipeline.studio.routes_edit import EditRoutes
from pipeline.studio.routes_pictures import PictureRoutes
from pipeline.studio.routes_presets import PresetRoutes
from pipeline.studio.routes_runs import RunRoutes
from pipeline.studio.routes_state import PAGE, StateRoutes
from pipeline.studio.runs import Runs
from pipeline.studio.state import State
from pipeline.studio.stills import StillShelf
from pipeline.studio.texts import Texts
from pipeline.studio.watching import Watching
from pipeline.studio.workshop import Workshop


def make_app(folder: Path, hosts: list[str], token: str, cookie: str, version: str) -> Guard:
    """The application that serves a folder to whoever has the token."""
    library = Library(folder)
    runs = Runs(library, Renderers(library.folder))
    texts, orders, pictures, board = Texts(library, runs), Orders(library, runs), Pictures(), Board()
    state, drafts = State(library, runs, board, version), Drafts(board, library.reach)
    watching, atlas, table = Watching(runs, pictures), Workshop(), Workshop()
    edits = EditRoutes(texts)

    @contextlib.asynccontextmanager
    async def working(app: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=edits.get_ready, name="dreamreel-ready", daemon=True).start()
        tasks = [asyncio.create_task(work) for work in (state.keep_telling(), drafts.keep_looking())]
        yield
        for task in tasks:
            task.cancel()
        await drafts.close()
        atlas.close()
        table.close()

    routes = [
        *_of_state(StateRoutes(library, state, watching, drafts)),
        *_of_presets(PresetRoutes(library, texts, drafts), edits),
        *_of_runs(RunRoutes(library, runs, texts, orders, pictures, watching)),
        *_of_pictures(PictureRoutes(texts, Plates(atlas), StillShelf(library, table, board))),
        *_of_drafts(DraftRoutes(library, texts, drafts, orders)),
    ]
    return Guard(Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=working), hosts, token, cookie)


def _of_state(about: StateRoutes) -> list[BaseRoute]:
    return [
        Route("/", about.page),
        Route("/plain", about.plain),
        Mount("/page", StaticFiles(directory=PAGE)),
        Route("/api/state", about.state),
        WebSocketRoute("/api/live", about.live),
    ]


def _of_presets(presets: PresetRoutes, edits: EditRoutes) -> list[BaseRoute]:
    return [
        Route("/api/schema", presets.schema),
        Route("/api/presets", presets.add, methods=["POST"]),
        Route("/api/presets/{id}", presets.show),
        Route("/api/presets/{id}", presets.save, methods=["PUT"]),
        Route("/api/presets/{id}/poster.jpg", presets.poster),
        Route("/api/check", presets.check, methods=["POST"]),
        Route("/api/controls", edits.controls, methods=["POST"]),
        Route("/api/edit", edits.edit, methods=["POST"]),
        Route("/api/complete", edits.complete, methods=["POST"]),
        Route("/api/atlas/edit", edits.edit_atlas, methods=["POST"]),
    ]


def _of_runs(films: RunRoutes) -> list[BaseRoute]:
    return [
        Route("/api/runs", films.begin, methods=["POST"]),
        Route("/api/runs/{id}", films.show),
        Route("/api/runs/{id}/stop", films.stop, methods=["POST"]),
        Route("/api/runs/{id}/resume", films.resume, methods=["POST"]),
        Route("/api/runs/{id}/reveal", films.reveal, methods=["POST"]),
        Route("/api/runs/{id}/branch", films.branch, methods=["POST"]),
        Route("/api/runs/{id}/frames/{frame:int}.jpg", films.frame),
        Route("/api/runs/{id}/films/{number:int}", films.film),
        Route("/api/runs/{id}/song", films.song),
        Route("/api/runs/{id}/live.mjpg", films.mjpeg),
        Route("/api/runs/{id}/figures", films.figures),
    ]


def _of_pictures(pictured: PictureRoutes) -> list[BaseRoute]:
    return [
        Route("/api/atlas/{model}", pictured.layers),
        Route("/api/atlas/{model}/{layer}/layer.jpg", pictured.layer),
        Route("/api/atlas/{model}/{layer}/{channel:int}.jpg", pictured.channel),
        Route("/api/stills", pictured.add, methods=["POST"]),
        Route("/api/stills/{id}/dream", pictured.dream, methods=["POST"]),
        Route("/api/stills/{id}/original.jpg", pictured.original),
        Route("/api/stills/{id}/result.jpg", pictured.result),
        Route("/api/stills/{id}/result.png", pictured.result_file),
    ]


def _of_drafts(tries: DraftRoutes) -> list[BaseRoute]:
    return [
        Route("/api/drafts", tries.start, methods=["POST"]),
        Route("/api/drafts/{id}/steer", tries.steer, methods=["POST"]),
        Route("/api/drafts/{id}/stop", tries.stop, methods=["POST"]),
        Route("/api/drafts/{id}/keep", tries.keep, methods=["POST"]),
    ]
