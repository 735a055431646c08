"""The negative log-likelihood of Student's t (Lange, Little and Taylor, JASA 1989), a loss with a learnt variance.

Labels far off count less than by a Gaussian, whose limit it is for many degrees of freedom NU. The log variance is that
of the t itself. As a row of foteinopoulou2021's Tables IV and V:

    make reproduce METHOD=examples/student_t.py
"""

NU = 4


def student_t(mean, log_variance, target):
    squared = (target - mean).square() * (-log_variance).exp() / (NU - 2)
    return (NU + 1) / 2 * squared.log1p() + log_variance / 2
