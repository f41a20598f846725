# SPDX-License-Identifier: Apache-2.0
"""Functions of other libraries in, the torchmetrics class of the same metric out.

Knows sklearn, scipy, numpy and a few text and image packages by the names of their functions as
they stand in the user's source text; nothing is imported.
"""

import ast
import sys
from collections.abc import Mapping, Sequence
from types import CodeType

from lightning_gradguard import syntax
from lightning_gradguard.source import Stack

__all__ = [
    "by_words",
    "callees",
    "class_of",
    "formulas",
    "in_source",
    "loops",
    "module_of",
    "torchmetrics_of",
]

# Function -> class; a star stands for Binary, Multiclass or Multilabel.
_FUNCTIONS: Mapping[str, str] = {
    "accuracy_score": "*Accuracy",
    "balanced_accuracy_score": "MulticlassAccuracy",
    "f1_score": "*F1Score",
    "fbeta_score": "*FBetaScore",
    "precision_score": "*Precision",
    "recall_score": "*Recall",
    "jaccard_score": "*JaccardIndex",
    "hamming_loss": "*HammingDistance",
    "zero_one_loss": "*Accuracy",
    "matthews_corrcoef": "*MatthewsCorrCoef",
    "cohen_kappa_score": "*CohenKappa",
    "roc_auc_score": "*AUROC",
    "average_precision_score": "*AveragePrecision",
    "confusion_matrix": "*ConfusionMatrix",
    "ndcg_score": "RetrievalNormalizedDCG",
    "top_k_accuracy_score": "MulticlassAccuracy",
    "r2_score": "R2Score",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_squared_error": "MeanSquaredError",
    "root_mean_squared_error": "MeanSquaredError",
    "mean_absolute_percentage_error": "MeanAbsolutePercentageError",
    "explained_variance_score": "ExplainedVariance",
    "spearmanr": "SpearmanCorrCoef",
    "kendalltau": "KendallRankCorrCoef",
    "weightedtau": "KendallRankCorrCoef",
    "pearsonr": "PearsonCorrCoef",
    "corrcoef": "PearsonCorrCoef",
    "label_ranking_average_precision_score": "MultilabelRankingAveragePrecision",
    "label_ranking_loss": "MultilabelRankingLoss",
    "coverage_error": "MultilabelCoverageError",
    "precision_recall_fscore_support": "*F1Score",
    "structural_similarity": "StructuralSimilarityIndexMeasure",
    "peak_signal_noise_ratio": "PeakSignalNoiseRatio",
    "wer": "WordErrorRate",
    "cer": "CharErrorRate",
    "sentence_bleu": "BLEUScore",
    "corpus_bleu": "BLEUScore",
    "adjusted_rand_score": "AdjustedRandScore",
    "normalized_mutual_info_score": "NormalizedMutualInfoScore",
    "v_measure_score": "VMeasureScore",
    "mutual_info_score": "MutualInfoScore",
    "hinge_loss": "*HingeLoss",
}
_LIBRARIES = frozenset({"sklearn", "scipy", "numpy", "np", "skimage", "jiwer", "nltk", "torcheval"})
_TASKS = {"label": "Multiclass", "multilabel": "Multilabel"}
_UPPER = {
    "auroc": "AUROC",
    "roc": "ROC",
    "f1": "F1",
    "fbeta": "FBeta",
    "corrcoef": "CorrCoef",
    "bleu": "BLEU",
    "mse": "MSE",
    "kl": "KL",
    "ndcg": "NDCG",
    "r2": "R2",
    "iou": "IoU",
    "map": "MAP",
    "mrr": "MRR",
    "dcg": "DCG",
}
# torchmetrics functions whose class is not the function's name in camel case.
_RENAMED: Mapping[str, str] = {
    "spearman_corrcoef": "SpearmanCorrCoef",
    "kendall_rank_corrcoef": "KendallRankCorrCoef",
    "binary_matthews_corrcoef": "BinaryMatthewsCorrCoef",
    "multiclass_matthews_corrcoef": "MulticlassMatthewsCorrCoef",
    "multilabel_matthews_corrcoef": "MultilabelMatthewsCorrCoef",
    "pearson_corrcoef": "PearsonCorrCoef",
    "retrieval_normalized_dcg": "RetrievalNormalizedDCG",
    "retrieval_reciprocal_rank": "RetrievalMRR",
    "retrieval_average_precision": "RetrievalMAP",
    "structural_similarity_index_measure": "StructuralSimilarityIndexMeasure",
    "concordance_corrcoef": "ConcordanceCorrCoef",
    "mean_iou": "MeanIoU",
    "dice_score": "DiceScore",
    "dice": "DiceScore",
    "bleu_score": "BLEUScore",
    "rouge_score": "ROUGEScore",
    "translation_edit_rate": "TranslationEditRate",
    "multiscale_structural_similarity_index_measure": "MultiScaleStructuralSimilarityIndexMeasure",
}
_MODULES: Mapping[str, str] = {
    "SpearmanCorrCoef": "regression",
    "KendallRankCorrCoef": "regression",
    "PearsonCorrCoef": "regression",
    "ConcordanceCorrCoef": "regression",
    "R2Score": "regression",
    "ExplainedVariance": "regression",
    "DiceScore": "segmentation",
    "MeanIoU": "segmentation",
    "StructuralSimilarityIndexMeasure": "image",
    "PeakSignalNoiseRatio": "image",
    "SignalNoiseRatio": "audio",
    "Perplexity": "text",
    "BLEUScore": "text",
    "ROUGEScore": "text",
    "EditDistance": "text",
    "CharErrorRate": "text",
    "WordErrorRate": "text",
}


def class_of(name: str) -> str:
    """Return the torchmetrics class of a class or function of torchmetrics.

    Example:
        >>> class_of("binary_jaccard_index"), class_of("MulticlassAccuracy")
        ('BinaryJaccardIndex', 'MulticlassAccuracy')
    """
    if name[:1].isupper():
        return name
    camel = "".join(_UPPER.get(part, part.capitalize()) for part in name.split("_"))
    known = [_RENAMED.get(name, ""), camel]
    loaded = sys.modules.get("torchmetrics.classification"), sys.modules.get("torchmetrics")
    return next(
        (k for k in known if k and any(hasattr(m, k) for m in loaded if m is not None)),
        known[0] or camel,
    )


def module_of(name: str) -> str:
    """Return the torchmetrics module in which a class lives.

    Example:
        >>> module_of("RetrievalMRR")
        'torchmetrics.retrieval'
    """
    if name.startswith("Retrieval"):
        return "torchmetrics.retrieval"
    if name.startswith(("Binary", "Multiclass", "Multilabel")):
        return "torchmetrics.classification"
    if name.endswith("IntersectionOverUnion"):
        return "torchmetrics.detection"
    default = "regression" if "Error" in name else ""
    part = _MODULES.get(name, default)
    return f"torchmetrics.{part}" if part else "torchmetrics"


def torchmetrics_of(function: str, kind: str) -> str:
    """Return the class of a library function for one kind of predictions.

    Example:
        >>> torchmetrics_of("f1_score", "label"), torchmetrics_of("roc_auc_score", "rank")
        ('MulticlassF1Score', 'BinaryAUROC')
    """
    return _FUNCTIONS[function].replace("*", _TASKS.get(kind, "Binary"))


def in_source(stacks: Sequence[Stack]) -> str:
    """Return the known library function that the code around some calls uses, `""` if none."""
    codes = list(dict.fromkeys(c for stack in stacks for c, _ in stack if c.co_name != "<module>"))
    for code in codes:
        found = _called(code)
        if found:
            return found
    imported = {n for code in codes for n in _imported(code.co_filename, top=True).values()}
    return imported.pop() if len(imported) == 1 else ""


def loops(stack: Stack) -> bool:
    """Say whether the code around a call may compute an edit distance: it has nested loops."""
    module = syntax.tree(stack[0][0].co_filename) if stack else None
    if module is None:
        return True
    inner = [n for n in ast.walk(module) if isinstance(n, (ast.For, ast.While))]
    return any(
        isinstance(c, (ast.For, ast.While)) and c is not n for n in inner for c in ast.walk(n)
    ) or any(name in {"distance", "eval", "edit_distance"} for name in _callees(module))


def formulas(stacks: Sequence[Stack]) -> tuple[str, ...]:
    """Return the endings of the classes whose formula stands in the code around some calls.

    A union speaks for Jaccard, a doubled numerator for F1, a difference of products under a root
    for Matthews, a comparison of whole rows for the exact match; only operators and library
    functions count, never the names of variables.
    """
    nodes = [n for stack in stacks for c, _ in stack if (n := syntax.function_node(c)) is not None]
    parts = [p for node in dict.fromkeys(nodes) for p in ast.walk(node)]
    called = {name for node in nodes for name in _callees(node)}
    operators = {type(p.op) for p in parts if isinstance(p, ast.BinOp)}
    found = []
    if "sqrt" in called and ast.Sub in operators and any(_is_cross(p) for p in parts):
        found.append("MatthewsCorrCoef")
    if ast.BitOr in operators or called & {
        "logical_or",
        "bitwise_or",
        "union",
        "maximum",
        "union1d",
    }:
        found.append("JaccardIndex")
    if any(_doubles(p) for p in parts):
        found.append("F1Score")
    if called & {"equal", "array_equal", "all"}:
        found.append("ExactMatch")
    return tuple(found)


def _is_cross(node: ast.AST) -> bool:
    """Recognise `a * b - c * d`."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)):
        return False
    return all(
        isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult) for n in (node.left, node.right)
    )


def _doubles(node: ast.AST) -> bool:
    """Recognise a quotient with a doubled numerator."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        return False
    return any(isinstance(n, ast.Constant) and n.value in (2, 2.0) for n in ast.walk(node.left))


def by_words(name: str, stacks: Sequence[Stack]) -> str:
    """Tell word from character errors: texts that are split or joined at blanks are words."""
    if name != "CharErrorRate":
        return name
    for stack in stacks:
        for code in dict.fromkeys(c for c, _ in stack if c.co_filename == stack[0][0].co_filename):
            node = syntax.function_node(code)
            for call in ast.walk(node) if node is not None else ():
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                    blank = (
                        isinstance(call.func.value, ast.Constant) and call.func.value.value == " "
                    )
                    if call.func.attr == "split" or (call.func.attr == "join" and blank):
                        return "WordErrorRate"
    return name


def _called(code: CodeType) -> str:
    node = syntax.function_node(code)
    if node is None:
        return ""
    known = _imported(code.co_filename)
    for callee in _callees(node):
        name = known.get(callee, callee if callee in _FUNCTIONS else "")
        if name:
            return name
    return ""


def _callees(node: ast.AST) -> list[str]:
    calls = [c.func for c in ast.walk(node) if isinstance(c, ast.Call)]
    return [f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in calls]


def _imported(filename: str, *, top: bool = False) -> dict[str, str]:
    """Return local name -> library function for the known functions that a file imports."""
    module = syntax.tree(filename)
    found: dict[str, str] = {}
    if module is None:
        return found
    for node in module.body if top else ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _LIBRARIES:
            found |= {a.asname or a.name: a.name for a in node.names if a.name in _FUNCTIONS}
    return found


def callees(stack: Stack) -> set[str]:
    """Return the names of all functions that the file of a call uses."""
    module = syntax.tree(stack[0][0].co_filename) if stack else None
    return set(_callees(module)) if module is not None else set()
