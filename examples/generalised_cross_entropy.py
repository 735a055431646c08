"""Generalised cross entropy, a loss against wrong labels (Zhang and Sabuncu, NeurIPS 2018, eq. 6).

A label counts less in training the less the network believes it. Between cross-entropy (Q towards 0) and the mean
absolute error (Q = 1); the authors take 0.7. As a row of le2023's Table 1, and among the methods on the same faces:

    make reproduce METHOD=examples/generalised_cross_entropy.py
"""

from paperlib.models.expression import ExpressionNet

Q = 0.7


class GeneralisedCrossEntropy(ExpressionNet):
    def loss(self, x, label, row):
        logits = self.logits(x)
        self.remember(logits, label, row)  # how far each label is doubted, for the page on the same faces
        log_p = logits.log_softmax(dim=1).gather(1, label[:, None])
        return ((1 - (Q * log_p).exp()) / Q).mean()
