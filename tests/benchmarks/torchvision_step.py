"""torchvision's Mask R-CNN R50-FPN, timed for cpu_vs_torchvision.sh: JOB HEIGHT WIDTH REPEATS -> one JSON object.

Frozen batch norm, random weights, 91 classes, one image, eight boxes, two threads; masks as the model returns them
(probabilities in M x M are pasted by torchvision itself in prediction).
"""
import json
import os
import resource
import sys
import time

import torch
import torchvision
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.resnet import resnet50

job, height, width, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(2)
torch.manual_seed(0)
body = resnet50(weights=None, norm_layer=torchvision.ops.misc.FrozenBatchNorm2d)
model = MaskRCNN(_resnet_fpn_extractor(body, 3), 91, min_size=min(height, width), max_size=max(height, width),
                 box_score_thresh=0.0)
image = torch.rand(3, height, width)
boxes, masks = [], torch.zeros(8, height, width, dtype=torch.uint8)
for i in range(8):
    w, h = width * float(torch.empty(1).uniform_(0.1, 0.5)), height * float(torch.empty(1).uniform_(0.1, 0.5))
    x, y = (width - w) * float(torch.rand(1)), (height - h) * float(torch.rand(1))
    boxes.append([x, y, x + w, y + h])
    masks[i, int(y):int(y + h), int(x):int(x + w)] = 1
target = {"boxes": torch.tensor(boxes), "labels": torch.randint(1, 91, (8,)), "masks": masks}

if job == "train":
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, weight_decay=1e-4)

    def step():
        optimizer.zero_grad()
        sum(model([image], [target]).values()).backward()
        optimizer.step()
else:
    model.eval()

    def step():
        with torch.no_grad():
            model([image])

step()
times = []
for _ in range(repeats):
    begin = time.perf_counter()
    step()
    times.append((time.perf_counter() - begin) * 1e3)
times.sort()
# The BLAS behind libblas.so.3: fully connected layers take seconds in the reference one.
with open("/proc/self/maps") as maps:
    loaded = {line.split()[-1] for line in maps if "blas" in line}
blas = next((path for path in sorted(loaded) if "openblas" in path or "mkl" in path or "blis" in path),
            next(iter(sorted(loaded)), "none"))
print(json.dumps({"blas": os.path.realpath(blas) if os.path.exists(blas) else blas, "ms": round(times[len(times) // 2], 2),
                  "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
