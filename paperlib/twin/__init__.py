"""The twin: generated faces and recordings whose truth is known."""

from paperlib.twin.faces import draw_faces
from paperlib.twin.parameters import FaceParameters, landmarks, plain_faces, sample_parameters
from paperlib.twin.prototypes import ACTION_UNITS, CIRCUMPLEX, PROTOTYPES
from paperlib.twin.raters import ambiguity, make_faces
from paperlib.twin.sequences import SEQUENCE_UNITS, make_sequences

__all__ = [
    "ACTION_UNITS",
    "CIRCUMPLEX",
    "PROTOTYPES",
    "SEQUENCE_UNITS",
    "FaceParameters",
    "ambiguity",
    "draw_faces",
    "landmarks",
    "make_faces",
    "make_sequences",
    "plain_faces",
    "sample_parameters",
]
