"""Data sets, each read once from its official layout into a FaceSet, a SequenceSet or a RecordingSet."""

from paperlib.data.afewva import load_afewva, person_folds
from paperlib.data.affectnet import load_affectnet
from paperlib.data.affwild import load_affwild
from paperlib.data.amigos import load_amigos
from paperlib.data.categories import with_category
from paperlib.data.ferplus import PROTOCOLS, consensus, load_ferplus, votes_to_ratings
from paperlib.data.manifest import load_manifest
from paperlib.data.morphset import load_morphset
from paperlib.data.rafdb import load_rafdb
from paperlib.data.recordings import load_recordings
from paperlib.data.records import FaceSet, RecordingSet, SequenceSet, Truth, subset
from paperlib.data.requirements import requirements
from paperlib.data.sewa import load_sewa
from paperlib.data.sfew import load_sfew
from paperlib.data.studyforrest import load_studyforrest, load_studyforrest_segments

__all__ = [
    "PROTOCOLS",
    "FaceSet",
    "RecordingSet",
    "SequenceSet",
    "Truth",
    "consensus",
    "load_afewva",
    "load_affectnet",
    "load_affwild",
    "load_amigos",
    "load_ferplus",
    "load_manifest",
    "load_morphset",
    "load_rafdb",
    "load_recordings",
    "load_sewa",
    "load_sfew",
    "load_studyforrest",
    "load_studyforrest_segments",
    "person_folds",
    "requirements",
    "subset",
    "votes_to_ratings",
    "with_category",
]
