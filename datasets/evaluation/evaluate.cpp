#include "datasets/evaluation/evaluate.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "datasets/evaluation/category.h"
#include "tensor/error.h"

namespace tailseg {

namespace {

// Calls work(i) for the items of `order` on several threads; the first exception is thrown again here.
template <class MakeWorker>
void for_each_on_threads(const std::vector<int32_t>& order, int threads, MakeWorker make_worker) {
  std::atomic<size_t> next{0};
  std::exception_ptr error;
  std::mutex error_lock;
  const auto loop = [&] {
    try {
      auto worker = make_worker();
      for (size_t i = next++; i < order.size(); i = next++) worker(order[i]);
    } catch (...) {
      const std::lock_guard lock(error_lock);
      if (!error) error = std::current_exception();
      next = order.size();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int i = 1; i < threads; ++i) helpers.emplace_back(loop);
    loop();
  }
  if (error) std::rethrow_exception(error);
}

void check_inputs(const AnnotationSet& set, const Detections& detections, const EvaluationOptions& options) {
  TS_CHECK(options.protocol != Protocol::kLvis || set.lvis, set.path,
           ": has no neg_category_ids: the LVIS protocol needs an LVIS annotation file (use the COCO protocol)");
  TS_CHECK(options.train_instances.empty() || options.train_instances.size() == set.categories.size(),
           "train instances of ", options.train_instances.size(), " categories given, ", set.path, " has ",
           set.categories.size());
  if (options.iou != IouType::kMask) return;
  TS_CHECK(detections.size() == 0 || detections.any_mask(), "mask evaluation: no result has a segmentation");
  const Annotations& all = set.annotations;
  TS_CHECK(all.size() == 0 || all.polygons.size() > 0 || all.rle.size() > 0, set.path,
           ": mask evaluation: no annotation has a segmentation");
}

}  // namespace

double CategoryResult::mean_ap() const { return std::accumulate(ap[0].begin(), ap[0].end(), 0.) / kThresholds; }

double Evaluation::figure(const std::string& name) const {
  for (const Figure& figure : figures) {
    if (figure.name == name) return figure.value;
  }
  fail("the evaluation has no figure named ", name);
}

Evaluation evaluate(const AnnotationSet& set, const Detections& detections, const EvaluationOptions& options) {
  check_inputs(set, detections, options);
  const Selection selection = select(set, detections, options);
  Evaluation out;
  out.options = options;
  out.categories.resize(set.categories.size());
  std::vector<int32_t> order(set.categories.size());  // largest first, so that no thread is left with it at the end
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return selection.detections[a].size() > selection.detections[b].size();
  });
  const int threads = options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  for_each_on_threads(order, threads, [&] {
    return [&, category = CategoryEvaluator(set, detections, options, selection)](int32_t label) mutable {
      out.categories[label] = category.run(label);
    };
  });
  out.figures = summarise(set, out.categories, options);
  return out;
}

}  // namespace tailseg
