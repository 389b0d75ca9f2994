"""What one row through a TabularNet costs, and the model of it that ``max_latency_us`` goes by.

    OMP_NUM_THREADS=1 python benchmarks/latency.py

Least squares, each architecture weighted by its own time: microseconds of a base, of a hidden layer, of there being
bins, and of 1,000 parameters.
"""

import itertools
import timeit

import numpy as np
import torch

from sklkd.students import TabularNet

REPEATS, CALLS = 60, 20


def microseconds(net, n_features):
    row = torch.randn(1, n_features)
    with torch.inference_mode():
        times = timeit.repeat(lambda: net(row), repeat=REPEATS, number=CALLS)
    return 1e6 * min(times) / CALLS  # the least: what else runs on the machine only adds


torch.set_num_threads(1)
found, terms = [], []
for width, depth, n_features, n_bins in itertools.product((8, 32, 64, 128, 256, 512), (1, 3), (5, 50), (0, 8, 40)):
    edges = [np.linspace(-1, 1, n_bins + 1) if n_bins else ()] * n_features
    net = TabularNet(n_features, 5, hidden=(width,) * depth, edges=edges).eval()
    parameters = sum(part.numel() for part in net.parameters())
    found.append(microseconds(net, n_features))
    terms.append([1, depth, n_bins > 0, parameters / 1_000])
found, terms = np.array(found), np.array(terms, float)
weights = np.linalg.lstsq(terms / found[:, None], np.ones(len(found)), rcond=None)[0]
print("base {:.1f}, a hidden layer {:.1f}, bins {:.1f}, 1,000 parameters {:.3f} us".format(*weights))
low, high = np.quantile(terms @ weights / found, [0.1, 0.9])
print(f"{len(found)} architectures; modelled over measured, 10th and 90th percentile: {low:.2f} and {high:.2f}")
