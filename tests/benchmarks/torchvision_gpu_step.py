#!/usr/bin/env python3
"""torchvision's Mask R-CNN R50-FPN on a GPU, timed for gpu_vs_torchvision.sh: one JSON object on the last line.

    torchvision_gpu_step.py --job train --batch 16 --height 800 --width 1344 --classes 80 [--repeats 20]
                            [--no-amp] [--no-compile]

bfloat16 autocast and channels_last. Three settings, one after the other on the same model: cuDNN's own choice of
engines, its search (cudnn.benchmark, which begins anew for each number of positive RoIs), and the faster of these with
a compiled backbone; each one's median and lowest time is printed, and the fastest median is "ms". Frozen batch norm, stem and first stage frozen, random weights, eight boxes an
image, every image of the size given, so that nothing is resized. Times are CUDA events around a whole step (forward,
backward, update) or prediction; masks are not pasted into the photo.
"""
import argparse
import json
import sys

import torch
import torchvision
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.resnet import resnet50


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", choices=["train", "predict"], required=True)
    for name, default in (("batch", 1), ("height", 800), ("width", 1344), ("classes", 80), ("repeats", 20)):
        parser.add_argument("--" + name, type=int, default=default)
    for name in ("no-amp", "no-compile"):
        parser.add_argument("--" + name, action="store_true")
    return parser.parse_args()


def make_model(o):
    body = resnet50(weights=None, norm_layer=torchvision.ops.misc.FrozenBatchNorm2d)
    # LVIS's protocol keeps 300 detections above 1e-4; COCO's 100.
    kept = 300 if o.classes > 1000 else 100
    model = MaskRCNN(_resnet_fpn_extractor(body, 3), o.classes + 1, min_size=min(o.height, o.width),
                     max_size=max(o.height, o.width), box_score_thresh=1e-4 if o.classes > 1000 else 0.05,
                     box_detections_per_img=kept).cuda()
    torchvision.models.detection.transform.paste_masks_in_image = lambda masks, boxes, size: masks
    return model.to(memory_format=torch.channels_last)


def make_input(o):
    images = [torch.rand(3, o.height, o.width, device="cuda") for _ in range(o.batch)]
    targets = []
    for _ in range(o.batch):
        boxes, masks = [], torch.zeros(8, o.height, o.width, dtype=torch.uint8)
        for i in range(8):
            w, h = o.width * (0.1 + 0.4 * torch.rand(1).item()), o.height * (0.1 + 0.4 * torch.rand(1).item())
            x, y = (o.width - w) * torch.rand(1).item(), (o.height - h) * torch.rand(1).item()
            boxes.append([x, y, x + w, y + h])
            masks[i, int(y):int(y + h), int(x):int(x + w)] = 1
        targets.append({"boxes": torch.tensor(boxes, device="cuda"), "masks": masks.cuda(),
                        "labels": torch.randint(1, o.classes + 1, (8,), device="cuda")})
    return images, targets


def make_step(o, model):
    images, targets = make_input(o)
    autocast = torch.autocast("cuda", torch.bfloat16, enabled=not o.no_amp)
    if o.job == "predict":
        model.eval()

        def predict():
            with torch.inference_mode(), autocast:
                model(images)

        return predict
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-6, momentum=0.9,
                                weight_decay=1e-4, fused=True)

    def train():
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = sum(model(images, targets).values())
        loss.backward()
        optimizer.step()

    return train


def time_of(step, repeats):
    for _ in range(8):  # engines are tried, code is compiled
        step()
    times = []
    for _ in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        step()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    times.sort()
    return {"ms": round(times[len(times) // 2], 3), "lowest_ms": round(times[0], 3)}


def main():
    o = arguments()
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    model = make_model(o)
    step = make_step(o, model)
    torch.backends.cudnn.benchmark = False
    settings = {"chosen": time_of(step, o.repeats)}
    torch.cuda.reset_peak_memory_stats()
    step()
    mib = torch.cuda.max_memory_allocated() >> 20  # before the search, which takes memory for every engine it tries
    torch.backends.cudnn.benchmark = True
    settings["searched"] = time_of(step, o.repeats)
    torch.backends.cudnn.benchmark = settings["searched"]["ms"] < settings["chosen"]["ms"]
    if not o.no_compile:
        try:
            model.backbone.compile()  # the whole model has shapes that depend on data; in place: the optimiser keeps it
            settings["compiled"] = time_of(step, o.repeats)
        except Exception as problem:  # whatever a compiler may raise: its setting is left out
            print(f"torch.compile failed: {problem}", file=sys.stderr)
    print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__,
                      "ms": min(s["ms"] for s in settings.values()), "tensor_mib": mib, "settings": settings}))


main()
