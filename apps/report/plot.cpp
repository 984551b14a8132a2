#include "apps/report/plot.h"

#include <algorithm>
#include <cmath>

#include "apps/report/html.h"

namespace tailseg {

std::vector<double> nice_ticks(double low, double high, int count) {
  const double raw = (high - low) / std::max(count, 1);
  if (!(raw > 0) || !std::isfinite(raw)) return {low};
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.999) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9);
  for (int i = 0; i < 200; ++i) {
    const double tick = (first + i) * step;
    ticks.push_back(std::abs(tick) < step * 1e-9 ? 0 : tick);
    if (tick >= high - step * 1e-9) break;
  }
  return ticks;
}

void PlotAxis::settle() {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) low = high = logarithmic ? 1 : 0;
  if (logarithmic) {
    low = std::pow(10.0, std::floor(std::log10(std::max(low, 1e-300)) + 1e-9));
    high = std::pow(10.0, std::ceil(std::log10(std::max(high, 1e-300)) - 1e-9));
    if (high <= low) high = low * 10;
    return;
  }
  if (high - low <= 1e-12 * std::max(std::abs(high), std::abs(low)) || high == low) {
    const double room = high == 0 ? 1 : std::abs(high) * 0.1;
    low -= low == 0 ? 0 : room;
    high += room;
  }
  if (exact) return;
  const std::vector<double> marks = nice_ticks(low, high, 6);
  low = std::min(low, marks.front());
  high = std::max(high, marks.back());
}

std::vector<double> PlotAxis::ticks() const {
  std::vector<double> marks;
  if (!logarithmic) {
    marks = nice_ticks(low, high, 6);
    std::erase_if(marks, [&](double mark) { return share(mark) < -1e-9 || share(mark) > 1 + 1e-9; });
    return marks;
  }
  const double from = std::round(std::log10(low)), to = std::round(std::log10(high));
  const double step = std::max(1.0, std::ceil((to - from) / 10));
  for (double exponent = from; exponent <= to; exponent += step) marks.push_back(std::pow(10.0, exponent));
  return marks;
}

double PlotAxis::share(double value) const {
  if (!logarithmic) return (value - low) / (high - low);
  return (std::log10(std::max(value, 1e-300)) - std::log10(low)) / (std::log10(high) - std::log10(low));
}

Plot::Plot(int width, int height, PlotAxis x, PlotAxis y, const std::string& title)
    : width_(width), height_(height), x_(std::move(x)), y_(std::move(y)), title_(title) {
  x_.settle();
  y_.settle();
}

double Plot::x(double value) const { return kLeft + std::clamp(x_.share(value), 0.0, 1.0) * (right() - kLeft); }
double Plot::y(double value) const { return bottom() - std::clamp(y_.share(value), 0.0, 1.0) * (bottom() - kTop); }
std::string Plot::x_text(double value) const { return fixed_text(x(value), 1); }
std::string Plot::y_text(double value) const { return fixed_text(y(value), 1); }

void Plot::line(const std::vector<std::pair<double, double>>& points, const std::string& classes,
                const std::string& name) {
  std::string path;
  bool drawing = false;
  for (const auto& [at, value] : points) {
    const bool known = std::isfinite(at) && std::isfinite(value);
    if (known) path += (drawing ? "L" : "M") + x_text(at) + " " + y_text(value);
    drawing = known;
  }
  if (!path.empty())
    content_ += "<path class=\"line " + classes + "\" data-n=\"" + html_text(name) + "\" d=\"" + path + "\"/>";
}

std::string Plot::svg() const {
  const std::string right_text = fixed_text(right(), 0), bottom_text = fixed_text(bottom(), 0);
  const auto scale = [](const PlotAxis& axis, double from, double to) {
    return fixed_text(from, 0) + " " + fixed_text(to, 0) + " " + short_text(axis.low) + " " + short_text(axis.high) +
           (axis.logarithmic ? " log" : "");
  };
  std::string out = "<svg class=\"plot\" role=\"img\" aria-label=\"" + html_text(title_) + "\" viewBox=\"0 0 " +
                    std::to_string(width_) + " " + std::to_string(height_) + "\" data-x=\"" +
                    scale(x_, kLeft, right()) + "\" data-y=\"" + scale(y_, bottom(), kTop) + "\">";
  out += "<text class=\"title\" x=\"" + std::to_string(kLeft) + "\" y=\"16\">" + html_text(title_) + "</text>";
  for (const double tick : y_.ticks()) {
    out += "<path class=\"grid\" d=\"M" + std::to_string(kLeft) + " " + y_text(tick) + "H" + right_text +
           "\"/><text class=\"tick end\" x=\"" + std::to_string(kLeft - 6) + "\" y=\"" + fixed_text(y(tick) + 4, 1) +
           "\">" + short_text(tick) + "</text>";
  }
  for (const double tick : x_.ticks()) {
    out += "<path class=\"grid\" d=\"M" + x_text(tick) + " " + std::to_string(kTop) + "V" + bottom_text +
           "\"/><text class=\"tick mid\" x=\"" + x_text(tick) + "\" y=\"" + fixed_text(bottom() + 15, 0) + "\">" +
           short_text(tick) + "</text>";
  }
  out += "<text class=\"tick mid\" x=\"" + fixed_text((kLeft + right()) / 2, 0) + "\" y=\"" +
         std::to_string(height_ - 8) + "\">" + html_text(x_.label) + "</text>";
  out += "<text class=\"tick mid\" transform=\"translate(13 " + fixed_text((kTop + bottom()) / 2, 0) +
         ") rotate(-90)\">" + html_text(y_.label) + "</text>";
  return out + content_ + "</svg>\n";
}

std::vector<std::pair<double, double>> thinned(const std::vector<std::pair<double, double>>& points, size_t most) {
  if (points.size() <= most || most < 2) return points;
  const size_t stretches = most / 2;
  std::vector<std::pair<double, double>> kept;
  for (size_t i = 0; i < stretches; ++i) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(points.size() * i / stretches);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>(points.size() * (i + 1) / stretches);
    auto [low, high] =
        std::minmax_element(begin, end, [](const auto& a, const auto& b) { return a.second < b.second; });
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  return kept;
}

std::vector<std::pair<double, double>> smoothed(const std::vector<std::pair<double, double>>& points,
                                                size_t stretches) {
  std::vector<std::pair<double, double>> means;
  for (size_t i = 0; i < stretches; ++i) {
    const size_t begin = points.size() * i / stretches, end = points.size() * (i + 1) / stretches;
    double place = 0, value = 0;
    for (size_t at = begin; at < end; ++at) {
      place += points[at].first;
      value += points[at].second;
    }
    const auto count = static_cast<double>(end - begin);
    if (begin < end) means.emplace_back(place / count, value / count);
  }
  return means;
}

}  // namespace tailseg
