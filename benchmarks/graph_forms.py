"""How ONNX Runtime likes the default student's first layer best: forms of one graph, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/graph_forms.py [n_columns]

Microseconds for one row (through bound memory) and per row in runs of 512, each the fastest of 30 rounds that take
turns; the largest difference of a probability from the estimator's; all with the weights of one student.
"""

import sys
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier

from sklkd import DistilledClassifier
from sklkd.students import TabularStudent
from sklkd.students._folded import fold

CHUNK, ROUNDS = 512, 30


class Graph:
    """Nodes and constants of one form."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def op(self, kind, *inputs, name="", domain="", **attributes):
        inputs = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        name = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name


def smooth(graph, folded, form):
    """What the smoothly clipped numbers give the first layer."""
    third = graph.op("Mul", graph.op("Sub", "X", folded.center), 1 / (3 * folded.scale))
    if form == "square, add, root, divide":
        root = graph.op("Sqrt", graph.op("Add", graph.op("Mul", third, third), [1.0]))
        return third, graph.op("Gemm", graph.op("Div", third, root), 3 * folded.clip, folded.bias)
    if form == "normalise (t, 1)":
        pair = graph.op("Unsqueeze", third, graph.constant([2], np.int64))
        pair = graph.op("Pad", pair, graph.constant([0, 0, 0, 0, 0, 1], np.int64), graph.constant(1.0))
        pair = graph.op("LpNormalization", pair, axis=-1, p=2)
        flat = graph.op("Reshape", pair, graph.constant([-1, 2 * len(folded.clip)], np.int64))
        weight = np.zeros((2 * len(folded.clip), folded.clip.shape[1]))
        weight[::2] = 3 * folded.clip
        return third, graph.op("Gemm", flat, weight, folded.bias)
    return third, graph.op("Gemm", graph.op("Sin", graph.op("Atan", third)), 3 * folded.clip, folded.bias)


def bins(graph, folded, third, total, form):
    """The first layer, with what the bins add."""
    column, left, slope, weight = folded.bins
    weight, left, slope = weight[len(folded.clip) :], left[:, 0], slope[:, 0]
    if form == "gather, multiply, add, clip":
        rising = graph.op("Gather", third, graph.constant(column, np.int64), axis=1)
        rising = graph.op("Add", graph.op("Mul", rising, 3 * slope), -left * slope)
    else:
        slopes = np.zeros((len(folded.clip), len(column)))
        slopes[column, np.arange(len(column))] = 3 * slope
        rising = graph.op("Gemm", third, slopes, -left * slope)
    if form == "product, hinges":
        up, down = graph.op("Relu", rising), graph.op("Relu", graph.op("Sub", rising, [1.0]))
        return graph.op("Gemm", graph.op("Sub", up, down), weight, total)
    return graph.op("Gemm", graph.op("Clip", rising, graph.constant(0.0), graph.constant(1.0)), weight, total)


def session(folded, smooth_form, bin_form, n_columns, n_classes):
    graph = Graph()
    outputs = bins(graph, folded, *smooth(graph, folded, smooth_form), bin_form)
    for weight, bias in folded.layers:
        outputs = graph.op("Gemm", graph.op("Mul", outputs, graph.op("Sigmoid", outputs)), weight, bias)
    graph.op("Softmax", outputs, name="probabilities", axis=-1)
    given = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", n_columns])
    told = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", n_classes])
    model = helper.make_graph(graph.nodes, "form", [given], [told], graph.constants)
    model = helper.make_model(model, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def bound(one, X):
    """A call that answers one row through bound memory."""
    row, answer = X[:1].copy(), np.zeros((1, one.get_outputs()[0].shape[1]), np.float32)
    binding = one.io_binding()
    for bind, name, array in ((binding.bind_input, "X", row), (binding.bind_output, "probabilities", answer)):
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return lambda: (one.run_with_iobinding(binding), row)


def seconds(call, number):
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


n_columns = int(sys.argv[1]) if len(sys.argv) > 1 else 30
X, y = make_classification(6000, n_columns, n_informative=15, n_classes=5, random_state=0)
X = X.astype(np.float32)
forest = ExtraTreesClassifier(50, random_state=0).fit(X, y)
est = DistilledClassifier(forest, TabularStudent(max_epochs=3), augment=None, random_state=0).fit(X, y)
folded = fold(est.encoder_, est.student_.module_)
expected = est.predict_proba(X)
print(f"{n_columns} columns, {len(folded.bins[0])} bins")
forms = [("arc tangent, sine", one) for one in ("product, clip", "gather, multiply, add, clip", "product, hinges")]
forms += [(one, "product, clip") for one in ("square, add, root, divide", "normalise (t, 1)")]
sessions = {form: session(folded, *form, n_columns, 5) for form in forms}
times = {form: ([], []) for form in forms}
parts = [X[i : i + CHUNK] for i in range(0, len(X) - CHUNK, CHUNK)]
for _ in range(ROUNDS):
    for form, one in sessions.items():
        times[form][0].append(seconds(bound(one, X), 100))
        times[form][1].append(seconds(lambda one=one: [one.run(None, {"X": part}) for part in parts], 1))
for form, (row, batch) in times.items():
    worst = np.abs(sessions[form].run(None, {"X": X})[0] - expected).max()
    print(
        f"| {form[0]} | {form[1]} | {1e6 * min(row):.1f} | {1e6 * min(batch) / CHUNK / len(parts):.2f} | {worst:.1e} |"
    )
