#!/usr/bin/python3
"""Times PyTorch and torchvision on the rows of bench_detection_ops that they have, the two programs in turn.

    bench_detection_ops_torch.py BENCH_DETECTION_OPS_PROGRAM [--threads 2 ...the program's options]
Needs Debian's python3-torch and python3-torchvision. One measurement is the least of several runs, in milliseconds.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
import torchvision

CLASSES = 1203


def least_ms(forward, leaves, threads, budget=0.5):
    clock = time.thread_time if threads == 1 else time.perf_counter
    best, total, runs = [1e30, 1e30], 0.0, 0
    while runs < 6 or (total < budget and runs < 1000):
        for leaf in leaves:
            leaf.grad = None
        begin = clock()
        y = forward()
        middle = clock()
        y.backward(torch.ones_like(y))
        end = clock()
        total += end - begin
        runs += 1
        if runs > 1:  # the first is a warm-up
            best = [min(best[0], middle - begin), min(best[1], end - middle)]
    return [1e3 * t for t in best]


def roi_align(count, size, kind, boxes):
    levels = [torch.rand(1, 256, 200 >> l, 336 >> l, requires_grad=True) for l in range(4)]
    mine = [b for b in boxes if b[0] == count]
    level = torch.tensor([int(b[1]) for b in mine])
    rows = [torch.nonzero(level == l)[:, 0] for l in range(4)]
    rois = torch.tensor([b[2:] for b in mine])
    sampling, aligned = (-1, True) if kind == "adaptive" else (2, False)

    def forward():
        out = torch.zeros(count, 256, size, size)
        for l in range(4):
            out[rows[l]] = torchvision.ops.roi_align(levels[l], [rois[rows[l]]], size, 1 / (4 << l), sampling, aligned)
        return out
    return forward, levels


def row(name, boxes):
    op, *sizes = name.split()
    if op == "roi_align":
        return roi_align(int(sizes[0]), int(sizes[1]), sizes[2], boxes)
    if op == "softmax_cross_entropy":
        logits = (16 * torch.rand(512, CLASSES + 1) - 8).requires_grad_()
        labels = torch.tensor([i * 37 % CLASSES if i % 4 == 0 else CLASSES for i in range(512)])
        return lambda: torch.nn.functional.cross_entropy(logits, labels), [logits]
    if op == "binary_cross_entropy":
        masks, targets = (8 * torch.rand(128, 28, 28) - 4).requires_grad_(), torch.rand(128, 28, 28)
        return lambda: torch.nn.functional.binary_cross_entropy_with_logits(masks, targets), [masks]
    return None


def main():
    options = sys.argv[2:]
    threads = int(options[options.index("--threads") + 1]) if "--threads" in options else 2
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("rows", "boxes")]
        subprocess.run([sys.argv[1], *options, "--json", files[0], "--boxes", files[1]], check=True,
                       stdout=subprocess.DEVNULL)
        rows = [json.loads(line) for line in open(files[0])]
        boxes = [[float(v) for v in line.split()] for line in open(files[1])]
    print(f"{'':34} {'forward: ours':>14} {'torch':>9} {'ratio':>6}   {'backward: ours':>15} {'torch':>9} {'ratio':>6}")
    for ours in rows:
        line = f"{ours['op']:34} {ours['forward_ms']:14.3f}"
        peer = row(ours["op"], boxes)
        if peer is None:
            print(line + f" {'':16}   {ours['backward_ms']:15.3f}")
            continue
        forward, backward = least_ms(*peer, threads)
        print(line + f" {forward:9.3f} {forward / ours['forward_ms']:6.1f}   {ours['backward_ms']:15.3f}"
              f" {backward:9.3f} {backward / ours['backward_ms']:6.1f}")


if __name__ == "__main__":
    main()
