"""A map of images by their features: t-SNE with Barnes-Hut's approximation.

It is scikit-learn's, which is here anyway: its ``angle`` is the theta of the paper, a seed gives the same map to the
bit, and 10,000 images take 108 s of one core. openTSNE would pay for far larger sets, which nobody could read.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np

from mmdetpre.utils.progress_bar import progress_bar

PERPLEXITY, THETA = 10.0, 0.5
"""Those of the paper."""
COMPONENTS = 50


@dataclass(frozen=True, eq=False)
class TsneMap:
    """Places of n images.

    Args:
        points: (n, 2) float32; only which points are near each other has a meaning.
        kl_divergence: What t-SNE minimizes, in nats: how much of the neighborhoods the map misses.
    """

    points: np.ndarray
    kl_divergence: float


def tsne_map(
    features: np.ndarray,
    *,
    perplexity: float = PERPLEXITY,
    theta: float = THETA,
    components: int = COMPONENTS,
    seed: int = 0,
) -> TsneMap:
    """Lay out images in a plane so that those with similar features are near each other.

    One thread computes: sums of several would differ in the last bits, and the map with them.

    Args:
        features: (n, D) finite.
        perplexity: About how many neighbors of an image count; below n.
        theta: Angle below which a far cell of the map counts as one point, from 0 (exact sums) to 1 (coarse).
        components: Features are reduced to so many principal components first, as is customary; 0: not at all.
        seed: Of the first draw where principal components are found by random projection.

    Raises:
        ValueError: If there are too few images or dimensions, all features are equal, or a setting is out of range.

    Source: Figure 7 of "An Analysis of Pre-Training on Object Detection"; van der Maaten, "Accelerating t-SNE using
    Tree-Based Algorithms" (2014).

    Example:
        >>> features = np.repeat(np.eye(8, dtype=np.float32), 5, axis=0)
        >>> tsne_map(features + 0.01 * np.arange(40)[:, None], perplexity=3).points.shape
        (40, 2)
    """
    check_settings(len(features), perplexity, theta, components)
    values = np.asarray(features, np.float32).reshape(len(features), -1)
    if not np.isfinite(values).all():
        raise ValueError("A feature is not finite: the network has diverged. Use another checkpoint.")
    if values.shape[1] < 2:
        raise ValueError(f"Features have {values.shape[1]} dimension: a map needs 2 or more. Choose another layer.")
    if not np.ptp(values, axis=0).any():
        raise ValueError(
            "All images have the same features, so no map shows anything: was the checkpoint trained, and does the"
            " layer depend on the image?"
        )
    from sklearn.decomposition import PCA  # takes a second to import
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        if 0 < components < values.shape[1]:
            values = PCA(min(components, len(values)), random_state=seed).fit_transform(values)
        tsne = TSNE(perplexity=perplexity, angle=theta, init="pca", method="barnes_hut", random_state=seed, n_jobs=1)
        points = tsne.fit_transform(values)
    return TsneMap(points.astype(np.float32), float(tsne.kl_divergence_))


def tsne_maps(
    spaces: Mapping[str, np.ndarray],
    *,
    perplexity: float = PERPLEXITY,
    theta: float = THETA,
    components: int = COMPONENTS,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, TsneMap]:
    """A map of each feature space, side by side on a core each.

    Args:
        spaces: Name and features (n, D) of each.
        perplexity, theta, components, seed: As for :func:`tsne_map`.
        progress: Show a progress bar.

    Raises:
        ValueError: As :func:`tsne_map` does, with the name of the space.
    """

    def compute(name: str) -> TsneMap:
        try:
            return tsne_map(spaces[name], perplexity=perplexity, theta=theta, components=components, seed=seed)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    from threadpoolctl import threadpool_limits

    # around all threads, for the first to end would lift the limit of the others
    with threadpool_limits(1), ThreadPoolExecutor(len(spaces), "t-SNE") as pool:
        jobs = {name: pool.submit(compute, name) for name in spaces}
        for _ in progress_bar(as_completed(jobs.values()), "t-SNE", len(jobs), unit="map", disable=not progress):
            pass
    return {name: job.result() for name, job in jobs.items()}


def check_settings(images: int, perplexity: float, theta: float, components: int) -> None:
    """Check what can be checked before the work.

    Args:
        images: Number of images.
        perplexity: See :func:`tsne_map`.
        theta: See :func:`tsne_map`.
        components: See :func:`tsne_map`.

    Raises:
        ValueError: If a setting is out of range, or there are too few images.
    """
    if images < 3:
        raise ValueError(f"A map of {images} image(s) shows nothing: give features of 3 or more.")
    if not 1 <= perplexity < images:
        raise ValueError(
            f"perplexity is {perplexity:g}, and there are {images} images: give at least 1 and less than that number,"
            " or features of more images."
        )
    if not 0 <= theta <= 1:
        raise ValueError(f"theta is {theta:g}: give a number from 0 (exact sums) to 1 (coarse).")
    if components == 1 or components < 0:
        raise ValueError(f"{components} principal components: give 2 or more, or 0 to use the features as they are.")
