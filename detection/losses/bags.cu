#include "detection/losses/bags.h"

#include <algorithm>
#include <functional>

#include "detection/losses/bags_body.h"
#include "detection/losses/class_constants.h"
#include "detection/losses/class_rows_op.h"
#include "tensor/sort.h"

namespace tailseg {
namespace {

int64_t group_count(const BagsOptions& options) { return static_cast<int64_t>(options.boundaries.size()) + 1; }

std::vector<double> groups_of(const std::vector<double>& boundaries, const std::vector<int64_t>& instances) {
  std::vector<double> group;
  for (const int64_t n : instances) {
    group.push_back(static_cast<double>(std::upper_bound(boundaries.begin(), boundaries.end(), static_cast<double>(n)) -
                                        boundaries.begin()));
  }
  return group;
}

class BagsLoss : public ClassLoss {
 public:
  BagsLoss(const Scope& scope, const BagsOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + 2 + group_count(options)),
        groups_(group_count(options)),
        ratio_(options.ratio),
        group_(scope.store().add_buffer(scope.full("group"), {classes}, 0)) {
    if (statistics.instances.empty()) {
      cannot_train(problem_with(statistics.instances, "instances"));
      return;
    }
    expected_ = groups_of(options.boundaries, statistics.instances);
    for (int64_t g = 0; g < groups_; ++g) {
      if (std::count(expected_.begin(), expected_.end(), static_cast<double>(g)) == 0) {
        cannot_train(text("no class is in group ", g, " of ", groups_, " (training instances ",
                          g == 0 ? 0 : options.boundaries[static_cast<size_t>(g - 1)],
                          " and more); set other boundaries"));
      }
    }
    Context& ctx = scope.store().context();
    group_.copy_from(ctx, class_tensor(ctx, group_.dtype(), expected_));
  }
  int64_t draws_per_row() const override { return groups_; }

  Tensor class_columns(Context& ctx) const override { return layout_on(ctx, group_.dtype()).column; }

 protected:
  void check_state(Context& ctx) const override {
    const Tensor host = group_.to_host(ctx);
    dispatch_full(host.dtype(), "bags's groups", [&]<class Real>(Real) {
      for (size_t c = 0; c < expected_.size(); ++c) {
        TS_CHECK(static_cast<double>(host.data<Real>()[c]) == expected_[c], "loss bags: the loaded weights put class ",
                 c, " in group ", host.data<Real>()[c], ", the training set in group ", expected_[c],
                 "; they come from another data set or other boundaries");
      }
    });
  }
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const DType dtype = loss_dtype(input.logits.value().dtype());
    const int64_t rows = input.logits.size(0);
    const Layout layout = layout_on(ctx, dtype);
    const Tensor keys = Tensor::empty(ctx, {groups_, rows}), limit = Tensor::empty(ctx, {groups_}, DType::int32);
    const Tensor share = Tensor::empty(ctx, {groups_}, dtype), kept = Tensor::empty(ctx, {groups_, rows}, DType::uint8);
    dispatch_full(dtype, "bags", [&]<class Real>(Real) {
      const BagsKeys<Real> choose{groups<Real>(),
                                  input.labels.data<int32_t>(),
                                  input.draws.data<float>(),
                                  keys.data<float>(),
                                  limit.data<int32_t>(),
                                  share.data<Real>(),
                                  rows,
                                  Real(ratio_)};
      for_each_item(ctx, groups_, choose);
      const RankedRows ranked = sort_rows_descending(ctx, keys);
      for_each_item(ctx, groups_, BagsKept<Real>{choose, ranked.indices.data<int32_t>(), kept.data<uint8_t>()});
    });
    const auto make = [&]<class Scalar>(const ClassRows<Scalar>& all) {
      return BagsRow<Scalar>{all,
                             layout.column.data<int32_t>(),
                             layout.begin.data<int32_t>(),
                             kept.data<uint8_t>(),
                             share.data<ComputeType<Scalar>>(),
                             groups_,
                             rows};
    };
    return run_class_rows(ctx, "bags", input, classes(), make);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    const DType dtype = loss_dtype(logits.dtype());
    const Layout layout = layout_on(ctx, dtype);
    const Tensor scores = Tensor::empty(ctx, {logits.size(0), classes()}, dtype);
    dispatch_floating(logits.dtype(), "bags", [&]<class Scalar>(Scalar) {
      using Real = ComputeType<Scalar>;
      for_each_item(ctx, logits.size(0),
                    BagsScores<Scalar>{groups<Real>(), logits.data<Scalar>(), layout.column.data<int32_t>(),
                                       layout.begin.data<int32_t>(), scores.data<Real>(), width()});
    });
    return scores;
  }

 private:
  struct Layout {
    Tensor column, begin;  // [C], [G + 1] int32
  };
  template <class Real>
  BagsGroups<Real> groups() const {
    return {group_.data<Real>(), classes(), groups_};
  }
  Layout layout_on(Context& ctx, DType dtype) const {
    const Layout out{Tensor::empty(ctx, {classes()}, DType::int32), Tensor::empty(ctx, {groups_ + 1}, DType::int32)};
    dispatch_full(dtype, "bags", [&]<class Real>(Real) {
      for_each_item(ctx, classes() + groups_ + 1,
                    BagsLayout<Real>{groups<Real>(), out.column.data<int32_t>(), out.begin.data<int32_t>()});
    });
    return out;
  }

  int64_t groups_;
  double ratio_;
  Tensor group_;                  // [C] float32 (float64 in checks)
  std::vector<double> expected_;  // what the training set says
};

}  // namespace

BagsOptions::BagsOptions() { init = "normal"; }

std::vector<LossKnob> BagsOptions::own_knobs() {
  return {{"boundaries", &boundaries, "training instances at which the next group begins, rising", 1, 1e12},
          {"ratio", &ratio, "rows of other groups for each row of a group", 0, 1e6}};
}

std::shared_ptr<ClassLoss> BagsOptions::make(const Scope& scope, int64_t classes,
                                             const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  TS_CHECK(std::adjacent_find(boundaries.begin(), boundaries.end(), std::greater_equal<>()) == boundaries.end(),
           "loss bags: boundaries must rise");
  return std::make_shared<BagsLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
