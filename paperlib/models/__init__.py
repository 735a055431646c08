"""Networks, one module a paper; the papers' own are here by name."""

from paperlib.models.backbones import build_backbone
from paperlib.models.blstm import BLSTM
from paperlib.models.dual_domain import DualDomainNet
from paperlib.models.emofan import EmoFAN
from paperlib.models.expression import ExpressionNet
from paperlib.models.label_variance import LabelVarianceNet
from paperlib.models.ldlva import LDLVA

__all__ = ["BLSTM", "LDLVA", "DualDomainNet", "EmoFAN", "ExpressionNet", "LabelVarianceNet", "build_backbone"]
