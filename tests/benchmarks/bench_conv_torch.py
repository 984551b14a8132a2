#!/usr/bin/python3
"""Times PyTorch on the rows of bench_conv --json, the two programs in turn, and prints both.

    bench_conv_torch.py BENCH_CONV_PROGRAM [--height 512 ...the program's options]
Needs Debian's python3-torch. One measurement is the least of several runs, as in bench_conv.
"""
import collections
import json
import subprocess
import sys
import tempfile
import time

import torch


def least_ms(f, threads, budget=0.3):
    clock = time.thread_time if threads == 1 else time.perf_counter
    f()
    best, total, runs = 1e30, 0.0, 0
    while (runs < 5 or total < budget) and runs < 1000:
        begin = clock()
        f()
        took = clock() - begin
        best, total, runs = min(best, took), total + took, runs + 1
    return best * 1e3


def time_row(row, threads):
    g = collections.namedtuple("Row", row)(**row)
    if g.matmul:
        x, w, y = torch.rand(g.n, g.c), torch.rand(g.k, g.c), torch.rand(g.n, g.k)
        call = {"forward": lambda: x @ w.t(), "data": lambda: y @ w, "filter": lambda: y.t() @ x}[g.direction]
        return least_ms(call, threads)
    x = torch.rand(g.n, g.c, g.h, g.w)
    w, bias = torch.rand(g.k, g.c, g.window, g.window), torch.rand(g.k)
    if g.layer == "mask deconv":  # torchvision runs it as a transposed convolution: data = forward
        small, wt = torch.rand(g.n, g.k, g.h // 2, g.w // 2), torch.rand(g.k, g.c, 2, 2)
        if g.direction == "data":
            return least_ms(lambda: torch.nn.functional.conv_transpose2d(small, wt, stride=2), threads)
        mask = [g.direction == "forward", g.direction == "filter", False]
        return least_ms(lambda: torch.ops.aten.convolution_backward(
            x, small, wt, None, [2, 2], [0, 0], [1, 1], True, [0, 0], 1, mask), threads)
    if g.direction == "forward":
        return least_ms(lambda: torch.nn.functional.conv2d(x, w, bias, g.stride, g.padding), threads)
    y = torch.nn.functional.conv2d(x, w, None, g.stride, g.padding)
    mask = [g.direction == "data", g.direction == "filter", False]
    return least_ms(lambda: torch.ops.aten.convolution_backward(
        y, x, w, None, [g.stride] * 2, [g.padding] * 2, [1, 1], False, [0, 0], 1, mask), threads)


def main():
    options = sys.argv[2:]
    threads = int(options[options.index("--threads") + 1]) if "--threads" in options else 2
    torch.set_num_threads(threads)
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        subprocess.run([sys.argv[1], *options, "--json", file.name], check=True, stdout=subprocess.DEVNULL)
        rows = [json.loads(line) for line in file]
    totals = collections.defaultdict(float)
    print(f"{'layer':22} {'shape':26} {'':8} {'GFLOP':>8} {'ours ms':>9} {'GFLOP/s':>8} {'torch ms':>9} {'ratio':>6}")
    for row in rows:
        torch_ms = time_row(row, threads)
        p, q = ((row[s] + 2 * row["padding"] - row["window"]) // row["stride"] + 1 for s in "hw")
        gflop = 2e-9 * row["n"] * p * q * row["k"] * row["c"] * row["window"] ** 2
        for job in ("train", "predict"):
            totals[job] += row[job] * row["ms"]
            totals[job + " torch"] += row[job] * torch_ms
            totals[job + " gflop"] += row[job] * gflop
        shape = f"{row['n']}x{row['h']}x{row['w']}x{row['c']} > {row['k']}"
        print(f"{row['layer']:22} {shape:26} {row['direction']:8} {gflop:8.2f} {row['ms']:9.3f} "
              f"{gflop / row['ms'] * 1e3:8.0f} {torch_ms:9.3f} {torch_ms / row['ms']:6.2f}", flush=True)
    for job in ("train", "predict"):
        if totals[job]:
            print(f"{job}: {totals[job + ' gflop']:.0f} GFLOP, ours {totals[job]:.1f} ms, torch "
                  f"{totals[job + ' torch']:.1f} ms, ratio {totals[job + ' torch'] / totals[job]:.2f}")


if __name__ == "__main__":
    main()
