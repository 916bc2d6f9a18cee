#!/usr/bin/env python3
"""Write a copy of a LoRA adapter with noise on its weights: another adapter of the same base, and a worse one.

    noisy_adapter.py ADAPTER OUT [--seed N] [--noise SHARE]

SHARE is the deviation of the noise as a share of the deviation of each `lora_B`. Repeatable byte for byte.
"""

import argparse
import pathlib
import shutil

import numpy as np
from safetensors.numpy import load_file, save_file

# Deviation of the noise on an adapter of zeros, per SHARE.
LEAST_DEVIATION = 0.02


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("adapter", type=pathlib.Path)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--seed", type=int, default=11)
    arguments.add_argument("--noise", type=float, default=1.0)
    options = arguments.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    weights = load_file(options.adapter / "adapter_model.safetensors")
    for name in sorted(weights):
        if "lora_B" in name:
            weight = weights[name]
            # A row of zeros stays one: the random model has a channel that nothing may write to. An adapter of zeros alone,
            # which changes nothing, gets noise everywhere.
            rows = weight.any(axis=1, keepdims=True) if weight.any() else np.ones((1, 1), bool)
            deviation = (weight.std() or LEAST_DEVIATION) * options.noise
            noise = random.standard_normal(weight.shape) * deviation * rows
            weights[name] = (weight + noise).astype(weight.dtype)
    save_file(weights, options.out / "adapter_model.safetensors", metadata={"format": "pt"})
    shutil.copy(options.adapter / "adapter_config.json", options.out)


if __name__ == "__main__":
    main()
