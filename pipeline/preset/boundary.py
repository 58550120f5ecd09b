"""Where keys from outside become configs: whatever goes wrong there is a problem with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.errors import KeyPath, Problem, mishap
from pipeline.preset.explain import explain
from pipeline.preset.yaml12 import Document

MAX_KEYS = 100
ModelT = TypeVar("ModelT", bound=BaseModel)


def validated(
    model: type[ModelT],
    keys: dict[str, Any],
    path: KeyPath,
    document: Document,
    context: dict[str, Any],
    extra: dict[str, Any] | None = None,
) -> tuple[ModelT | None, list[Problem]]:
    """What the keys that stand at `path` in the document make, or what is wrong with them. `extra` keys are ours."""

    def validate(given: dict[str, Any]) -> ModelT:
        return model.model_validate(given | (extra or {}), context=context)

    if len(keys) > MAX_KEYS:
        return None, [document.problem(path, f"has {len(keys)} keys, may have at most {MAX_KEYS}")]
    try:
        return validate(keys), []
    except ValidationError as error:
        return None, explain(error, model, path, document)
    except Exception as error:
        return None, [document.problem((*path, *_guilty_key(validate, keys)), mishap(error))]


def _guilty_key(validate: Callable[[dict[str, Any]], Any], keys: dict[str, Any]) -> KeyPath:
    """The key that nothing could be made of, found by trying each alone."""
    for key, value in keys.items():
        try:
            validate({key: value})
        except ValidationError:
            continue
        except Exception:
            return (key,)
    return ()
