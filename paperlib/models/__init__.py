"""Networks, one module a paper."""

from paperlib.models.backbones import BACKBONES, CompactNet, build_backbone
from paperlib.models.label_variance import (
    LabelDistribution,
    LabelVarianceNet,
    NetVLADBackbone,
    TemporalNetVLAD,
    VoteNet,
)

__all__ = [
    "BACKBONES",
    "CompactNet",
    "LabelDistribution",
    "LabelVarianceNet",
    "NetVLADBackbone",
    "TemporalNetVLAD",
    "VoteNet",
    "build_backbone",
]
