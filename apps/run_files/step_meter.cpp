#include "apps/run_files/step_meter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "tensor/error.h"

namespace tailseg {
namespace {

std::string formatted(const char* format, double value) {
  char text[64];
  return {text, size_t(std::snprintf(text, sizeof text, format, value))};
}

double mean_of_last(const std::deque<double>& values, size_t window) {
  const size_t count = std::min(values.size(), window);
  return std::accumulate(values.end() - std::ptrdiff_t(count), values.end(), 0.0) / double(count);
}

void keep(std::deque<double>& values, double value, size_t window) {
  values.push_back(value);
  if (values.size() > window) values.pop_front();
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = int64_t(std::max(seconds, 0.0));
  char clock[32];
  std::snprintf(clock, sizeof clock, "%d:%02d:%02d", int(whole / 3600 % 24), int(whole / 60 % 60), int(whole % 60));
  const int64_t days = whole / 86400;
  if (days == 0) return clock;
  return std::to_string(days) + (days == 1 ? " day, " : " days, ") + clock;
}

double median(std::vector<double> values) {
  TS_CHECK(!values.empty(), "the median of no values");
  const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

void StepMeter::add(const StepFigures& step) {
  last_ = step;
  any_ = true;
  keep(seconds_, step.seconds, kEtaWindow);
  keep(data_seconds_, step.data_seconds, kWindow);
  const auto sample = [&](Series& series, double value) {
    series.samples.emplace_back(step.iteration, value);
    if (series.samples.size() > kWindow) series.samples.pop_front();
  };
  for (const auto& [name, value] : step.losses) {
    auto found = std::find_if(losses_.begin(), losses_.end(), [&](const Series& s) { return s.name == name; });
    if (found == losses_.end()) found = losses_.insert(losses_.end(), Series{name, {}});
    sample(*found, value);
  }
  if (step.gradient_norm) sample(gradient_norm_, *step.gradient_norm);
}

// The median of the samples of the last 20 steps; none when there is no finite one.
std::optional<double> StepMeter::recent(const Series& series) const {
  std::vector<double> values;
  for (const auto& [iteration, value] : series.samples) {
    if (iteration > last_.iteration - int64_t(kWindow) && std::isfinite(value)) values.push_back(value);
  }
  if (values.empty()) return {};
  return median(std::move(values));
}

std::optional<double> StepMeter::eta_seconds() const {
  if (!any_) return {};
  const auto left = double(std::max<int64_t>(iterations_ - last_.iteration - 1, 0));
  return median({seconds_.begin(), seconds_.end()}) * left;
}

std::string StepMeter::log_line() const {
  if (!any_) return "no step yet";
  std::string line = "eta: " + duration_text(*eta_seconds()) + "  iter: " + std::to_string(last_.iteration);
  for (const Series& series : losses_) {
    const auto value = recent(series);
    line += "  " + series.name + ": " + (value ? formatted("%.4g", *value) : "-");
  }
  line += "  time: " + formatted("%.4f", mean_of_last(seconds_, kWindow));
  line += "  data_time: " + formatted("%.4f", mean_of_last(data_seconds_, kWindow));
  line += "  lr: " + formatted("%.5g", last_.learning_rate);
  if (last_.memory_mib) line += "  max_mem: " + formatted("%.0fM", *last_.memory_mib);
  if (const auto norm = recent(gradient_norm_)) line += "  grad_norm: " + formatted("%.4g", *norm);
  return line;
}

std::string StepMeter::progress_line() const {
  if (!any_) return "";
  const int64_t done = last_.iteration + 1;
  const double share = iterations_ > 0 ? double(done) / double(iterations_) : 1.0;
  const double step = median({seconds_.begin(), seconds_.end()});
  std::string bar(20, ' ');
  const auto filled = size_t(std::clamp(share, 0.0, 1.0) * 20);
  std::fill(bar.begin(), bar.begin() + std::ptrdiff_t(filled), '=');
  if (filled < 20) bar[filled] = '>';
  std::string line = "[" + bar + "] " + std::to_string(done) + "/" + std::to_string(iterations_);
  if (step > 0) line += step < 1 ? formatted("  %.2f it/s", 1 / step) : formatted("  %.2f s/it", step);
  line += "  eta " + duration_text(*eta_seconds());
  if (!losses_.empty()) {
    const auto loss = recent(losses_.front());
    line += "  loss " + (loss ? formatted("%.4g", *loss) : std::string("-"));
  }
  return line;
}

std::map<std::string, double> StepMeter::metrics() const {
  std::map<std::string, double> values;
  if (!any_) return values;
  values["iteration"] = double(last_.iteration);
  values["eta_seconds"] = *eta_seconds();
  values["time"] = mean_of_last(seconds_, kWindow);
  values["data_time"] = mean_of_last(data_seconds_, kWindow);
  values["lr"] = last_.learning_rate;
  for (const Series& series : losses_) {
    if (const auto value = recent(series)) values[series.name] = *value;
  }
  if (const auto norm = recent(gradient_norm_)) values["grad_norm"] = *norm;
  if (last_.memory_mib) values["max_mem"] = *last_.memory_mib;
  return values;
}

}  // namespace tailseg
