"""Expression networks on faces, from an ONNX file of the user's own (docs/export.md).

Their licences forbid copies or their definitions are code of others, so neither can stand here. The card says what the
file must be: one input, faces (N, 3, S, S) float32, red first, scaled as the recipe says; one output, or one called
`features`, (N, D) for the card's D.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_extractors.onnx_networks import open_network
from feature_extractors.pictures import PictureEncoder
from mertools.errors import InputError

if TYPE_CHECKING:
    import onnxruntime

OUTPUT = "features"


class OnnxFaces(PictureEncoder):
    """A network in an ONNX file, a vector a face.

    A recipe says how a face gets its size: the shorter side to `resize` pixels, bilinearly, then the middle
    `resolution` of both; and how it is scaled: to 0 … `highest`, less the channels' `mean`.
    """

    autocasts = False

    def pixels(self, picture: np.ndarray) -> np.ndarray:
        from PIL import Image

        recipe = self.recipe
        image = Image.fromarray(np.ascontiguousarray(picture))
        share = recipe["resize"] / min(image.size)
        image = image.resize([round(side * share) for side in image.size], Image.Resampling.BILINEAR)
        size = recipe["resolution"]
        left, top = (round((side - size) / 2) for side in image.size)
        return np.asarray(image.crop((left, top, left + size, top + size))).transpose(2, 0, 1)

    def load(self, device: str) -> None:
        self.check_detector()
        path = self.fetch().path
        self._session = open_network(path, self.name, device)
        self._input = self._session.get_inputs()[0].name
        self._output = self._output_name(self._session)
        size, wanted = self.recipe["resolution"], self.card.dim
        try:
            got = self.features(np.zeros((2, 3, size, size), np.uint8)).shape
        except Exception as error:
            raise InputError(
                f"{path} does not take faces (N, 3, {size}, {size}) for any N: {str(error).splitlines()[0]} "
                "docs/export.md says how to export it."
            ) from error
        if got != (2, wanted):
            raise InputError(
                f"{path} gives {got} for two faces; {self.name} has {wanted} features a face, so (2, {wanted}) was "
                "wanted. docs/export.md says which layer to export."
            )

    def features(self, images: np.ndarray) -> np.ndarray:
        recipe = self.recipe
        faces = images.astype(np.float32) * np.float32(recipe["highest"] / 255)
        faces -= np.array(recipe["mean"], np.float32)[:, None, None]
        (output,) = self._session.run([self._output], {self._input: faces})
        return output.reshape(len(output), -1).astype(np.float32, copy=False)

    def _output_name(self, session: onnxruntime.InferenceSession) -> str:
        names = [output.name for output in session.get_outputs()]
        if len(names) > 1 and OUTPUT not in names:
            raise InputError(
                f"{self.source} has the outputs {', '.join(names)}. Wanted one, or one that is called {OUTPUT!r}."
            )
        return OUTPUT if OUTPUT in names else names[0]
