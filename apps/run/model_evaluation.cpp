#include "apps/run/model_evaluation.h"

#include <numeric>

#include "apps/config/model_options.h"
#include "datasets/loader.h"

namespace tailseg {

Detections detect_split(Context& ctx, MaskRcnn& model, const Config& config, const Split& split,
                        const std::function<void(int64_t, int64_t)>& progress) {
  Detections results;
  std::vector<int32_t> order(static_cast<size_t>(split.set.images.size()));
  std::iota(order.begin(), order.end(), 0);
  LoaderConfig loading = loader_config(config, split.images, false);
  loading.batch_size = 1;
  loading.targets = false;
  Loader loader(split.set, test_input(config), loading, sequential_order(order));
  Batch batch;
  int64_t done = 0;
  while (loader.next(batch)) {
    const auto objects = find_objects(ctx, model, batch, config);
    for (size_t n = 0; n < objects.size(); ++n) add_results(objects[n], batch.images[n].index, results);
    done += batch.count();
    if (progress) progress(done, static_cast<int64_t>(order.size()));
  }
  return results;
}

std::vector<TypeFigures> evaluate_split(const Split& split, const Detections& results, const std::string& protocol,
                                        const std::vector<int64_t>& train_instances, int threads) {
  EvaluationOptions options;
  const std::string chosen = protocol.empty() ? (split.set.lvis ? "lvis" : "coco") : protocol;
  options.protocol = chosen == "lvis" ? Protocol::kLvis : Protocol::kCoco;
  options.threads = threads;
  options.always_mask_area = true;  // our own results carry boxes for the box figures
  options.train_instances = train_instances;
  return evaluate_types(split.set, results, {IouType::kBox, IouType::kMask}, options);
}

}  // namespace tailseg
