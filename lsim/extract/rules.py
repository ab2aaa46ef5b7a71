"""What each call of PyTorch means for the graph: one function for each group of operators.

A call none of whose tensors descends from a weight, an input or the cache is arithmetic on masks and positions, and is
dropped. Of the others, views move nothing; what is left becomes operators of the trace.
"""

from collections.abc import Callable, Mapping

from lsim.extract.arithmetic import multiplied, summed
from lsim.extract.functions import UNARY, norm, reduced, replaced, softmax, unary
from lsim.extract.layers import averaged, batch_norm, copied, gated, group_norm, linear, sloped
from lsim.extract.lookups import chosen, constant, gather, index_arithmetic
from lsim.extract.products import convolved, grouped, multiplied_matrices
from lsim.extract.recording import Call
from lsim.extract.rotary import as_complex, as_real
from lsim.extract.state import State
from lsim.extract.views import RESHAPES, VIEWS, as_large, concatenate, part, reshaped, view

Rule = Callable[[State, Call], None]

RULES: Mapping[str, Rule] = {
    name: rule
    for rule, names in (
        (reshaped, RESHAPES),
        (view, VIEWS),
        (part, "slice select split split_with_sizes unbind narrow chunk diagonal"),
        (concatenate, "cat stack"),
        (unary, UNARY),
        (replaced, "masked_fill where"),
        (reduced, "sum mean var std amax var_mean linalg_vector_norm"),
        (softmax, "_softmax softmax _safe_softmax _log_softmax"),
        (norm, "native_layer_norm"),
        (batch_norm, "native_batch_norm"),
        (group_norm, "native_group_norm"),
        (gated, "glu"),
        (sloped, "_prelu_kernel"),
        (averaged, "avg_pool2d"),
        (copied, "copy"),
        (as_complex, "view_as_complex"),
        (as_real, "view_as_real"),
        (gather, "embedding index index_select gather"),
        (chosen, "topk sort"),
        (
            index_arithmetic,
            "floor_divide remainder cumsum histc bincount index_put eq ne lt le gt ge "
            "logical_and logical_or logical_not bitwise_and bitwise_or bitwise_not",
        ),
        (as_large, "constant_pad_nd as_strided"),
        (
            constant,
            "empty_like zeros_like ones_like full_like rand_like new_empty new_zeros new_ones new_full",
        ),
        (summed, "add sub rsub"),
        (multiplied, "mul div"),
        (linear, "linear"),
        (multiplied_matrices, "mm bmm addmm baddbmm mv addmv dot"),
        (convolved, "convolution"),
        (grouped, "_grouped_mm"),
    )
    for name in names.split()
}
