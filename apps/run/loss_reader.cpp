#include "apps/run/loss_reader.h"

namespace tailseg {

void LossReader::add(const StepFigures& figures, const std::vector<std::pair<std::string, Tensor>>& losses,
                     const Tensor& gradient_norm) {
  std::vector<std::string> names;
  const auto count = static_cast<int64_t>(losses.size());
  const Tensor packed = Tensor::empty(ctx_, {count + 1});
  for (const auto& [name, loss] : losses) {
    const auto at = static_cast<int64_t>(names.size());
    packed.slice(at, at + 1).copy_from(ctx_, loss.reshape({1}));
    names.push_back(name);
  }
  packed.slice(count, count + 1).copy_from(ctx_, gradient_norm.reshape({1}));
  if (spare_.empty()) {
    pending_.push_back({figures, std::move(names), Readback(ctx_, packed)});
    return;
  }
  pending_.push_back({figures, std::move(names), std::move(spare_.back())});
  spare_.pop_back();
  pending_.back().values.start(ctx_, packed);
}

std::optional<StepFigures> LossReader::take(bool wait) {
  if (pending_.empty()) return std::nullopt;
  Pending& oldest = pending_.front();
  if (!wait && pending_.size() <= kMostPending && !oldest.values.ready()) return std::nullopt;
  const std::vector<float> values = oldest.values.values<float>();
  StepFigures figures = std::move(oldest.figures);
  for (size_t i = 0; i < oldest.names.size(); ++i) figures.losses.emplace_back(std::move(oldest.names[i]), values[i]);
  figures.gradient_norm = values.back();
  spare_.push_back(std::move(oldest.values));
  pending_.pop_front();
  return figures;
}

}  // namespace tailseg
