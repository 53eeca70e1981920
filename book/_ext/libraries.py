"""What lectures import, imported: the process from which kernels are forked (see kernels.py) loads this module."""

# ruff: noqa: F401 - imported to be there
import time

import ipykernel.kernelapp
import ipywidgets
import matplotlib.pyplot
import nbclient
import nbformat
import sklearn.datasets
import torch
import tqdm.auto

SECONDS = time.process_time()  # what each kernel would have taken for it
