"""How the studio answers: JSON, and a sentence where something can't be."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from pipeline.errors import PipelineError, reason_of
from pipeline.studio.guard import TooLarge


class Refused(Exception):
    """The answer is a sentence, and a status of HTTP; `more` stands beside it."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status, self.error, self.more = status, error, more


class Asked(BaseModel):
    """What a request brings, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


AskedT = TypeVar("AskedT", bound=Asked)


async def read_asked(request: Request, model: type[AskedT]) -> AskedT:
    """The JSON of a request, checked. Raises Refused."""
    try:
        return model.model_validate(json.loads(await request.body()))
    except (ValueError, RecursionError) as error:
        said = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "is not JSON"}
        place = ".".join(map(str, said["loc"]))
        raise Refused(400, f"{place}: {said['msg']}" if place else str(said["msg"])) from None


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"error": error.error, **error.more}, error.status)


async def _mistake(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 409)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "there is nothing here", 405: "this can't be done here"}.get(error.status_code, error.detail)
    return JSONResponse({"error": said}, error.status_code)


async def _too_large(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "is too long; it was not read to its end"}, 413, {"connection": "close"})


async def _bug(request: Request, error: Exception) -> Response:
    said = f"this is a bug in dreamreel ({reason_of(error)}); its lines are in the terminal, please report them"
    return JSONResponse({"error": said}, 500)


HANDLERS: dict[Any, ExceptionHandler] = {
    Refused: _refused,
    PipelineError: _mistake,
    HTTPException: _of_http,
    TooLarge: _too_large,
    Exception: _bug,
}
