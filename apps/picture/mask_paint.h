// One mask painted onto an enlarged photo: a translucent fill and a smooth outline.
#pragma once

#include "apps/picture/canvas.h"
#include "apps/picture/overlay.h"

namespace tailseg {

// `factor`: canvas pixels a photo pixel. The mask is read bilinearly there and cut at one half.
void paint_mask(Image& canvas, const PictureInstance& instance, int64_t factor, const Colour& colour, double opacity,
                double outline);

}  // namespace tailseg
