"""`mertools explain landmarks`: where the parts of faces are in the frames that an encoder reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mertools.commands.command_line import add_corpus_options, add_face_options, make_parser
from mertools.commands.display import clip_progress
from mertools.corpus import read_manifest
from mertools.errors import InputError

EXAMPLES = """\
  mertools explain landmarks --model shape_predictor_68_face_landmarks.dat
  mertools explain landmarks --finder mediapipe --model face_landmarker.task --out landmarks.h5"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, find, write, tell; returns the exit status."""
    parser = make_parser(
        "mertools explain landmarks",
        "Find landmarks of the face in the frames that an encoder of whole pictures reads, for MicroEmo's local\n"
        "clues. Clips without a face, or that cannot be read, have none: MicroEmo sees them whole.",
        EXAMPLES,
    )
    add_corpus_options(parser)
    parser.add_argument("--finder", choices=("dlib", "mediapipe"), default="dlib", help="what finds landmarks")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="the finder's model")
    parser.add_argument("--feature", default="eva-clip-g", metavar="NAME", help="the encoder whose frames are meant")
    parser.add_argument("--recipe", default="mer2024", metavar="NAME", help="the recipe it was extracted by")
    parser.add_argument("--out", type=Path, default=Path("landmarks.h5"), metavar="FILE", help="the file to write")
    add_face_options(parser)
    options = parser.parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)

    import numpy as np

    from feature_extractors.catalog import card
    from feature_extractors.pictures import chooser
    from mertools.explain.landmarks import find_landmarks, landmark_finder, write_landmarks
    from mertools.faces import face_detector
    from mertools.media import MissingMedium, UnreadableMedia

    recipe = card(options.feature).recipe(options.recipe)
    if recipe.get("picture") != "frame":
        raise InputError(
            f"{options.feature} does not read whole pictures. Crops of faces need no landmarks: set "
            "local_attention.landmarks to `canonical`."
        )
    detector = face_detector(options.face_detector, options.face_model)
    finder = landmark_finder(options.finder, options.model, detector)
    faceless = 0

    def found() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        nonlocal faceless
        for number, clip in enumerate(corpus.clips, start=1):
            try:
                times, points = find_landmarks(clip, finder, chooser(recipe))
            except (MissingMedium, UnreadableMedia):
                times, points = np.zeros(0), np.zeros((0, 0, 2))
            faceless += points.shape[1] == 0
            progress(number, len(corpus.clips), faceless)
            yield clip.name, times, points

    with clip_progress("finding landmarks", "clips without a face") as progress:
        write_landmarks(options.out, finder.scheme, found())
    count = len(corpus.clips)
    sys.stdout.write(f"{options.out}: landmarks of {count - faceless} of {count} clips ({finder.scheme})\n")
    return 0
