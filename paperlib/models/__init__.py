"""Networks, one module a paper."""

from paperlib.models.backbones import BACKBONES, CompactNet, build_backbone
from paperlib.models.blstm import BLSTM
from paperlib.models.dual_domain import DualDomain, DualDomainNet
from paperlib.models.emofan import EmoFAN
from paperlib.models.expression import ExpressionNet
from paperlib.models.label_variance import (
    LabelDistribution,
    LabelVarianceNet,
    NetVLADBackbone,
    TemporalNetVLAD,
    VoteNet,
)
from paperlib.models.ldlva import LDLVA, CalibrationNetwork, LDLVAOptions
from paperlib.models.rivals import RelativeUncertaintyNet, SelfCureNet

__all__ = [
    "BACKBONES",
    "BLSTM",
    "LDLVA",
    "CalibrationNetwork",
    "CompactNet",
    "DualDomain",
    "DualDomainNet",
    "EmoFAN",
    "ExpressionNet",
    "LDLVAOptions",
    "LabelDistribution",
    "LabelVarianceNet",
    "NetVLADBackbone",
    "RelativeUncertaintyNet",
    "SelfCureNet",
    "TemporalNetVLAD",
    "VoteNet",
    "build_backbone",
]
