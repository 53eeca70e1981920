"""Small data sets in the very form in which the real ones are published."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile

import numpy as np

IMAGES = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
LABELS = ("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
CIFAR_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
TRAINING_BATCHES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"]


def md5(body):
    return hashlib.md5(body).hexdigest()


def make_idx(seed):
    """Return the four archives of a small MNIST of noise, and the arrays in them."""
    rng = np.random.default_rng(seed)
    truth = {}
    for suffix, n in (("", 30), ("_test", 12)):
        truth[f"x{suffix}"] = rng.integers(0, 256, (n, 1, 28, 28), dtype=np.uint8)
        truth[f"y{suffix}"] = rng.integers(0, 10, n, dtype=np.int64)
    return idx_files(truth), truth


def idx_files(truth):
    """Return the four archives in which MNIST is published; truth: x (N, 1, 28, 28), y (N,), x_test, y_test."""
    files = {}
    for suffix, images, labels in zip(("", "_test"), IMAGES, LABELS):
        x = truth[f"x{suffix}"].astype(np.uint8)
        y = truth[f"y{suffix}"].astype(np.uint8)
        header_of_images = struct.pack(">IIII", 0x803, len(x), 28, 28)
        header_of_labels = struct.pack(">II", 0x801, len(y))
        files[images] = gzip.compress(header_of_images + x.tobytes())
        files[labels] = gzip.compress(header_of_labels + y.tobytes())
    return files


def make_cifar(seed, count=4):
    """Return the members of a small CIFAR-10, five training batches, a test batch and the names, and the arrays.

    count: the images of a batch.
    """
    rng = np.random.default_rng(seed)
    members = {}
    images = []
    labels = []
    for name in [*TRAINING_BATCHES, "test_batch"]:
        images.append(rng.integers(0, 256, (count, 3072), dtype=np.uint8))
        labels.append(rng.integers(0, 10, count).tolist())
        batch = {
            "batch_label": name,
            "labels": labels[-1],
            "data": images[-1],
            "filenames": [f"{number}.png" for number in range(count)],
        }
        members[name] = pickle.dumps(batch, protocol=2)
    meta = {"num_cases_per_batch": count, "label_names": CIFAR_NAMES}
    members["batches.meta"] = pickle.dumps(meta, protocol=2)
    x = np.stack(images).reshape(6, count, 3, 32, 32)
    y = np.array(labels)
    truth = {
        "x": x[:5].reshape(-1, 3, 32, 32),
        "y": y[:5].ravel(),
        "x_test": x[5],
        "y_test": y[5],
        "classes": np.array(CIFAR_NAMES),
    }
    return members, truth


def pack(members):
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return body.getvalue()
