"""How well votes for classes agree with labels: scikit-learn's scores of them."""

import numpy as np


def classification(labels: np.ndarray, votes: np.ndarray) -> dict[str, float]:
    """Accuracy, macro F-score and macro AUC of a classifier.

    Args:
        labels: (m,) true classes, all of 0 to c − 1 among them.
        votes: (m, c) how much speaks for each class; each row sums to 1. The first of the largest is the answer.

    Returns:
        ``accuracy``; ``f_score``, the mean of 2PR / (P + R) over classes, 0 for a class that is neither found nor
        wrongly named; ``auc``, the mean over classes of the area under the curve of each against all others (with two
        classes, that of the second).
    """
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    answers, classes = votes.argmax(1), np.arange(votes.shape[1])
    by = votes[:, 1] if len(classes) == 2 else votes
    return {
        "accuracy": float(accuracy_score(labels, answers)),
        "f_score": float(f1_score(labels, answers, labels=classes, average="macro", zero_division=0.0)),
        "auc": float(roc_auc_score(labels, by, average="macro", multi_class="ovr", labels=classes)),
    }
