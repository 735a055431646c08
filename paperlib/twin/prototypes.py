"""What a category of expression looks like and where it lies: action units, and valence with arousal.

Action units: the prototypes of P. Ekman, W. V. Friesen and J. C. Hager, Facial Action Coding System:
Investigator's Guide (2002), table 10-1: happy 6+12, sad 1+4+15, surprise 1+2+5+26, fear 1+2+4+5+7+20+26,
disgust 9+15+16, anger 4+5+7+23, contempt R14; read from secondary listings. Added: 25 for happy, surprise and
fear, 17 for sad, anger and disgust, 4 and 10 for disgust, which S. Du, Y. Tao and A. M. Martinez, Compound
facial expressions of emotion, PNAS 111 (2014), table 1, list too (not checked against the print), and 7 for
disgust and contempt, our choice. Left out: 7 for fear, and 16, which is not drawn. All intensities are ours,
chosen so that a person reads the face.

Coordinates: J. A. Russell and A. Mehrabian, Evidence for a three-factor theory of emotions, Journal of
Research in Personality 11 (1977), 273-294, table of 151 terms: pleasure and arousal of happy (term 31),
surprised (52), disgusted (75), angry (82), fearful (101) and sad (151). The six pairs come from a public
transcription that keeps the table's numbering, and recur in others; some of these give fear (-0.62, 0.82) and
joy (0.76, 0.48). The printed table was not at hand. No value for contempt could be verified: ours is
the midpoint of the same table's displeased (term 105: -0.55, 0.16) and disgusted, the nearest in meaning.
Neutral is the origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from paperlib.labels import EXPRESSIONS

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26)

# category -> (valence, arousal), each in [-1, 1].
CIRCUMPLEX: dict[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
    "fear": (-0.64, 0.60),
    "disgust": (-0.60, 0.35),
    "anger": (-0.51, 0.59),
    "contempt": (-0.575, 0.255),
}

# category -> action unit -> FACS intensity (0 to 5) of the expression at full strength.
# Contempt's unit 14 is on one side of the face only, as the guide has it (R14).
PROTOTYPES: Mapping[str, Mapping[int, float]] = MappingProxyType(
    {
        "neutral": {},
        "happy": {6: 4.0, 12: 4.5, 25: 3.5},
        "sad": {1: 5.0, 4: 1.5, 15: 5.0, 17: 3.0},
        "surprise": {1: 4.5, 2: 4.5, 5: 4.0, 25: 2.0, 26: 4.5},
        "fear": {1: 4.5, 2: 2.5, 4: 2.5, 5: 5.0, 20: 4.5, 25: 3.0, 26: 1.0},
        "disgust": {4: 1.5, 7: 2.0, 9: 5.0, 10: 4.5, 15: 2.0, 17: 2.5},
        "anger": {4: 5.0, 5: 2.0, 7: 2.5, 17: 2.0, 23: 4.5},
        "contempt": {7: 1.0, 14: 5.0},
    }
)


def prototype_table() -> np.ndarray:
    """`PROTOTYPES` as float64 (8, 16): rows in the order of EXPRESSIONS, columns in that of ACTION_UNITS."""
    return np.array([[PROTOTYPES[name].get(unit, 0.0) for unit in ACTION_UNITS] for name in EXPRESSIONS])


def circumplex_table() -> np.ndarray:
    """`CIRCUMPLEX` as float64 (8, 2): rows in the order of EXPRESSIONS, columns valence and arousal."""
    return np.array([CIRCUMPLEX[name] for name in EXPRESSIONS])
