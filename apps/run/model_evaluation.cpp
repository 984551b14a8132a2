#include "apps/run/model_evaluation.h"

#include <numeric>

#include "apps/config/data_options.h"
#include "apps/run/device_batch.h"
#include "datasets/loader.h"

namespace tailseg {

namespace {

// Calls see(batch) for every good photo of the split, one at a time, in the file's order.
template <class See>
void for_each_photo(const Context& ctx, const Config& config, const Split& split, const EvaluationListener& listener,
                    See&& see) {
  std::vector<int32_t> order(static_cast<size_t>(split.set.images.size()));
  std::iota(order.begin(), order.end(), 0);
  LoaderConfig loading = loader_config(config, split.images, false);
  loading.batch_size = 1;
  loading.targets = false;
  loading.decode_only = ctx.device().is_cuda();
  Loader loader(split.set, test_input(config), loading, sequential_order(order));
  Batch batch;
  int64_t done = 0;
  for (bool more = true; more;) {
    more = loader.next(batch);
    for (const std::string& message : batch.skipped) {
      ++done;
      if (listener.skipped) listener.skipped(message);
    }
    if (!more) break;
    see(batch);
    done += batch.count();
    if (listener.progress) listener.progress(done, static_cast<int64_t>(order.size()));
  }
}

EvaluationOptions evaluation_options(const Split& split, const std::string& protocol,
                                     const std::vector<int64_t>& train_instances, int threads) {
  EvaluationOptions options;
  const std::string chosen = protocol.empty() ? (split.set.lvis ? "lvis" : "coco") : protocol;
  options.protocol = chosen == "lvis" ? Protocol::kLvis : Protocol::kCoco;
  options.threads = threads;
  options.always_mask_area = true;  // our own results carry boxes for the box figures
  options.train_instances = train_instances;
  return options;
}

}  // namespace

Detections detect_split(Context& ctx, MaskRcnn& model, const Config& config, const Split& split,
                        const EvaluationListener& listener, const std::vector<int32_t>& labels,
                        const BatchScoreChange& change) {
  Detections results;
  ObjectFinder finder(ctx, model, config);
  for_each_photo(ctx, config, split, listener, [&](const Batch& batch) {
    const auto changed = [&](const BoxSet& boxes, const Tensor& scores) { return change(batch, boxes, scores); };
    std::vector<FoundObject> objects = finder.find(batch, change ? ScoreChange(changed) : ScoreChange())[0];
    for (FoundObject& object : objects) {
      if (!labels.empty()) object.label = labels[static_cast<size_t>(object.label)];
    }
    std::erase_if(objects, [](const FoundObject& object) { return object.label < 0; });
    add_results(objects, batch.images[0].index, results);
  });
  return results;
}

Detections propose_split(Context& ctx, MaskRcnn& model, const Config& config, const Split& split,
                         const EvaluationListener& listener) {
  Detections results;
  for_each_photo(ctx, config, split, listener, [&](const Batch& batch) {
    const BoxSet proposals = trimmed(ctx, model.propose(ctx, device_images(ctx, batch, test_input(config))));
    const Placement& placement = batch.images[0].placement;
    const std::vector<float> boxes = proposals.boxes.to_vector<float>(ctx);
    const std::vector<float> scores = proposals.scores.to_vector<float>(ctx);
    const auto count = static_cast<size_t>(proposals.count.to_vector<int32_t>(ctx)[0]);
    for (size_t i = 0; i < count; ++i) {
      const double x1 = boxes[i * 4] / placement.scale_x(), y1 = boxes[i * 4 + 1] / placement.scale_y();
      const Box box{x1, y1, boxes[i * 4 + 2] / placement.scale_x() - x1, boxes[i * 4 + 3] / placement.scale_y() - y1};
      results.add(batch.images[0].index, -1, scores[i], &box, nullptr);
    }
  });
  return results;
}

std::vector<TypeFigures> evaluate_split(const Split& split, const Detections& results, const std::string& protocol,
                                        const std::vector<int64_t>& train_instances, int threads) {
  return evaluate_types(split.set, results, {IouType::kBox, IouType::kMask},
                        evaluation_options(split, protocol, train_instances, threads));
}

std::vector<TypeFigures> evaluate_analysis(const Split& split, const ModelAnalysis& analysis,
                                           const std::string& protocol, const std::vector<int64_t>& train_instances,
                                           int threads) {
  return evaluate_analysis(split.set, analysis, evaluation_options(split, protocol, train_instances, threads));
}

}  // namespace tailseg
