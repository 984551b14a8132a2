// One chart as inline SVG: two axes with ticks, and whatever is drawn between them. Colours are CSS classes (page.cpp),
// so that a chart follows the reader's light or dark page.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tailseg {

struct PlotAxis {
  double low = 0, high = 1;  // of the data; low < high after `settle`
  bool logarithmic = false;  // powers of ten; data above 0
  std::string label;
  bool exact = false;  // linear: ends where the data end, not at the next round number

  // Widens an empty or reversed range and, on a linear axis, rounds it outwards to ticks.
  void settle();
  std::vector<double> ticks() const;
  double share(double value) const;  // 0 at low, 1 at high; beyond them for values outside
};

// Round numbers at equal distances that cover [low, high] with about `count` steps.
std::vector<double> nice_ticks(double low, double high, int count);

class Plot {
 public:
  // Pixels of the view box; the chart scales with the page. Axes are settled here.
  Plot(int width, int height, PlotAxis x, PlotAxis y, const std::string& title);

  double x(double value) const;  // data to pixels, clamped to the frame
  double y(double value) const;
  std::string x_text(double value) const;  // the same with one decimal
  std::string y_text(double value) const;
  double bottom() const { return height_ - kBottom; }
  double left() const { return kLeft; }
  double right() const { return width_ - kRight; }

  void add(const std::string& svg) { content_ += svg; }
  // A line through the points, gaps where a value is not finite, classes for its colour; `name` shows on hover.
  void line(const std::vector<std::pair<double, double>>& points, const std::string& classes, const std::string& name);
  std::string svg() const;

 private:
  static constexpr int kLeft = 58, kRight = 28, kTop = 26, kBottom = 40;
  int width_, height_;
  PlotAxis x_, y_;
  std::string title_, content_;
};

// At most `most` points with the same highs and lows: each stretch of the series keeps its lowest and highest point.
std::vector<std::pair<double, double>> thinned(const std::vector<std::pair<double, double>>& points, size_t most);
// The means of so many stretches of equal length, at their mean places.
std::vector<std::pair<double, double>> smoothed(const std::vector<std::pair<double, double>>& points, size_t stretches);

}  // namespace tailseg
