"""Whether boxes of a size and shape are learned by one layer, wherever in the photo they lie, or by several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from oidata.core.matcher.targets import match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.matcher.anchors import AnchorGrid
    from oidata.core.matcher.targets import Matcher

# The reference configs have 0.01 to 0.02 on lemons and cheese, and the small SSD of benchmarks/RESULTS.md 0.04; of
# trainings that differed in the anchors alone, those with more came out worse, at 0.11 already.
MAX_AMBIGUITY = 0.05
NUM_BOXES = 600
NUM_PLACES = 8


def placed(boxes: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Up to NUM_BOXES of `boxes`, (N, 4) xyxy normalised, each moved to NUM_PLACES random places in the photo.

    They are (min(N, NUM_BOXES), NUM_PLACES, 4); a side as long as the photo, or longer, begins at 0.
    """
    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(len(boxes))[:NUM_BOXES])
    sizes = (boxes[some, 2:] - boxes[some, :2])[:, None]
    corners = rng.random((len(some), NUM_PLACES, 2)) * np.maximum(1 - sizes, 0)
    return np.concatenate((corners, corners + sizes), axis=-1).astype(np.float32)


def layer_ambiguity(grid: AnchorGrid, matcher: Matcher, boxes: NDArray[np.float32]) -> float:
    """The share of the places at which a box has its best anchor in another layer than at most of its places.

    `boxes` are as of `placed`. At 0 the size and shape of an object say which layer is to learn it; the higher it is,
    the more often a layer sees as background what it is to find a little further on. Raises ValueError without boxes.
    """
    num_boxes, num_places, _ = boxes.shape
    if not num_boxes:
        raise ValueError("There are no boxes.")
    targets = match(boxes.reshape(-1, 4), np.arange(num_boxes * num_places), grid, matcher)
    layers = targets.best_layer.reshape(num_boxes, num_places)
    counts = np.stack([(layers == layer).sum(axis=1) for layer in range(len(grid.layers))])
    return float(1 - counts.max(axis=0).mean() / num_places)
