// The figures of recent steps: medians for the log line, the time left, the objects of metrics.jsonl. The windows are
// detectron2's: medians over 20 steps, the time left from the median of the last 1000 step times.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tailseg {

struct StepFigures {
  int64_t iteration = 0;    // counted from 0, as in detectron2's log
  double seconds = 0;       // the whole step
  double data_seconds = 0;  // of them, waiting for the loader
  double learning_rate = 0;
  std::vector<std::pair<std::string, double>> losses;  // total_loss first
  std::optional<double> gradient_norm;
  std::optional<double> memory_mib;  // peak
};

class StepMeter {
 public:
  // `iterations`: the run's length, for the time left.
  explicit StepMeter(int64_t iterations) : iterations_(iterations) {}

  void add(const StepFigures& step);

  // eta: 1:02:03  iter: 19  total_loss: 2.133  loss_cls: 0.689  time: 0.2293  data_time: 0.0033  lr: 0.003796
  // max_mem: 3782M  grad_norm: 1.42     A loss without a sample in the window is printed as "-", never as nan.
  std::string log_line() const;

  // One short line for the terminal: iteration, share, steps a second, time left, loss.
  std::string progress_line() const;

  // iteration, eta_seconds, time, data_time, lr, the losses, grad_norm, max_mem; what has no sample is left out.
  std::map<std::string, double> metrics() const;

  std::optional<double> eta_seconds() const;

 private:
  static constexpr size_t kWindow = 20, kEtaWindow = 1000;
  struct Series {
    std::string name;
    std::deque<std::pair<int64_t, double>> samples;  // iteration, value
  };
  std::optional<double> recent(const Series& series) const;

  int64_t iterations_;
  StepFigures last_;
  bool any_ = false;
  std::vector<Series> losses_;
  Series gradient_norm_;
  std::deque<double> seconds_, data_seconds_;
};

// Python's str(timedelta): "0:00:07", "1:02:03", "1 day, 0:00:00".
std::string duration_text(double seconds);

double median(std::vector<double> values);  // of at least one; of two middle ones their mean

}  // namespace tailseg
