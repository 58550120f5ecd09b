"""Activations as sums of few directions each: dictionary learning, by scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.activity import report
from pipeline.errors import ModelError

_SPARSITY = 0.1  # times the length that a usual activation has: a place then shows about four directions
_BATCH, _PASSES = 512, 12
_QUIETEST = 0.1  # of the mean deviation: a channel that is hardly ever awake must not shout


@dataclass(frozen=True, eq=False)
class Factors:
    """What activations (n, C) are made of: `mean` + `deviation` * (`codes` @ `atoms`), nearly.

    `atoms` (k, C) have unit length and are sorted by `strengths` (k,), the share of the squared activations that each
    accounts for; `codes` (n, k) are not negative, and mostly 0. `explained` is the share that all account for together.
    """

    mean: Tensor
    deviation: Tensor
    atoms: Tensor
    codes: Tensor
    strengths: Tensor
    explained: float


def require_scikit_learn() -> Any:
    """scikit-learn's module of decompositions. Raises ModelError where it is not installed."""
    try:
        from sklearn import decomposition
    except ImportError as error:
        said = f"learning directions needs scikit-learn: pip install 'dreamreel[learn]' ({error.name} is missing)"
        raise ModelError(said) from error
    return decomposition


def factorise(vectors: Tensor, count: int, seed: int) -> Factors:
    """Sparse directions of activations (n, C), `count` of them (Mairal et al. 2009).

    Channels are centred and scaled first, so that loud ones count no more than others. A layer's outputs may be
    negative, and so may a direction's channels; how much of it a place shows may not, as in sparse autoencoders. The
    same vectors and seed give the same numbers, in one thread. Raises ModelError.
    """
    if len(vectors) < count:
        raise ModelError(f"{count} directions can't be learnt from {len(vectors)} places; take more pictures, or fewer")
    mean, deviation = vectors.mean(0), vectors.std(0)
    deviation = deviation.clamp_min(_QUIETEST * float(deviation.mean()) + 1e-12)
    # In double precision: its coordinate descent never comes to rest in single.
    usual = ((vectors - mean) / deviation).double().numpy()
    codes, atoms = _learnt(usual, count, seed)
    lengths = np.maximum(np.linalg.norm(atoms, axis=1), 1e-12)
    atoms, codes = atoms / lengths[:, None], codes * lengths
    whole = np.square(usual).sum()
    strengths = np.square(codes).sum(0) / whole
    order = np.argsort(-strengths, kind="stable")
    explained = 1 - float(np.square(usual - codes @ atoms).sum() / whole)
    return Factors(
        mean, deviation, _single(atoms[order]), _single(codes[:, order]), _single(strengths[order]), explained
    )


def _single(numbers: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(numbers).float().contiguous()


def _learnt(vectors: NDArray[np.float64], count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Codes (n, k) and atoms (k, C)."""
    decomposition = require_scikit_learn()
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    report("learning directions")
    penalty = _SPARSITY * vectors.shape[1] ** 0.5
    learner = decomposition.MiniBatchDictionaryLearning(
        count,
        alpha=penalty,
        transform_alpha=penalty,
        positive_code=True,
        fit_algorithm="cd",
        transform_algorithm="lasso_cd",
        batch_size=_BATCH,
        max_iter=_PASSES,
        random_state=seed % 2**32,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        # One that has not quite come to rest is as good; sums in several threads end in other digits.
        warnings.simplefilter("ignore", ConvergenceWarning)
        codes = learner.fit_transform(vectors)
    return codes, learner.components_
